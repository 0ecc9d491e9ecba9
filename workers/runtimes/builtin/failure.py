"""Why a run cannot go on."""


class RunFailed(Exception):
    """The run ends here: `reason` is one of RunError's reasons, `message` says to a person what happened and helps."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class ContextOverflow(Exception):
    """The model refused the request as too long; the message is its own."""


class Busy(Exception):
    """Nothing of the request was begun, so it may be sent again, `after` seconds from now (None: any time)."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after
