"""What of a request only a provider of the same form can do."""

from router.refusal import Refusal

KEPT_NOWHERE = "conversation_not_kept"
"""Code for what refers to something that an earlier response left behind."""

ONLY_RESPONSES = "unsupported_parameter"
"""Code for what no other form has a word for."""


class Reach:
    """Takes note, while a request is read, of what goes beyond the neutral form; the first thing is what is told."""

    def __init__(self) -> None:
        self.refusal: Refusal | None = None
        self.unbounded = False

    def stored(self, what: str, param: str) -> None:
        """Note that it refers to what lies at a provider, or behind an address: nobody knows how much that is."""
        self.unbounded = True
        message = (
            f"{what}: the router keeps no responses, conversations or files, and this model's provider does not speak "
            "the Responses API; send the whole conversation in `input`"
        )
        self._note(Refusal(400, KEPT_NOWHERE, message, param))

    def only(self, what: str, param: str) -> None:
        """Note that it says what only the Responses API can."""
        message = f"{what} can be put only to a provider that speaks the Responses API, which this model's does not"
        self._note(Refusal(400, ONLY_RESPONSES, message, param))

    def _note(self, refusal: Refusal) -> None:
        if self.refusal is None:
            self.refusal = refusal
