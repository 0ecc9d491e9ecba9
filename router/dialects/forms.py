"""The forms that there are, by name. Made when they are first asked for: most routers meet one."""

from functools import cache

from router.dialects.chat import ChatDialect, ChatFace
from router.dialects.contract import CHAT_FORM, RESPONSES, Dialect, Face


@cache
def face(name: str) -> Face:
    """Give a caller's form."""
    if name == CHAT_FORM:
        return ChatFace()
    if name == RESPONSES:
        from router.dialects.responses.face import ResponsesFace

        return ResponsesFace()
    raise KeyError(name)


@cache
def dialect(name: str) -> Dialect:
    """Give a provider's form."""
    if name == CHAT_FORM:
        return ChatDialect()
    if name == RESPONSES:
        from router.dialects.responses.dialect import ResponsesDialect

        return ResponsesDialect()
    raise KeyError(name)


def form(kind: str) -> str:
    """Give the form of a kind of provider."""
    return _FORMS.get(kind, CHAT_FORM)


_FORMS: dict[str, str] = {"RESPONSES": RESPONSES}
