"""What of a request only a provider of the same form can do."""

from router.refusal import Refusal

ONLY_MESSAGES = "unsupported_parameter"
"""Code for what no other form has a word for."""


class Reach:
    """Takes note, while a request is read, of what goes beyond the neutral form; the first thing is what is told.

    `unbounded`: part of it lies elsewhere, or is a document of which its size says nothing.
    """

    def __init__(self) -> None:
        self.refusal: Refusal | None = None
        self.unbounded = False

    def only(self, what: str, param: str) -> None:
        """Note that it says what only this form can."""
        if self.refusal is None:
            message = f"{param}: {what} can be put only to a provider that speaks Anthropic's Messages API, "
            self.refusal = Refusal(400, ONLY_MESSAGES, message + "which this model's does not", param)

    def stored(self, what: str, param: str) -> None:
        """Note that it names what lies at a provider: nobody else has it, and nobody knows how much it is."""
        self.unbounded = True
        self.only(what, param)
