"""The one error of the sandbox: isolation or its machinery is not to be had."""

from typing import Any, Self


class SandboxUnavailable(Exception):
    """A sandbox cannot be opened, or the one asked for is gone.

    `reason` says what was wrong, `layer` which part of the isolation it concerns, `hint` what the operator can do (""
    if nothing is known).
    """

    def __init__(self, reason: str, *, layer: str, hint: str = "") -> None:
        super().__init__(f"{layer}: {reason}" + (f" {hint}" if hint else ""))
        self.reason = reason
        self.layer = layer
        self.hint = hint

    def to_wire(self) -> dict[str, Any]:
        """Write the message which carries this error over a control socket."""
        return {"op": "failed", "reason": self.reason, "layer": self.layer, "hint": self.hint}

    @classmethod
    def from_wire(cls, message: dict[str, Any]) -> Self:
        """Read the error that `to_wire` wrote."""
        return cls(str(message["reason"]), layer=str(message["layer"]), hint=str(message.get("hint", "")))
