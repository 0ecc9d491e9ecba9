"""The forms that there are, by name. Made when they are first asked for: most routers meet one."""

from functools import cache

from router.dialects.chat import ChatDialect, ChatFace
from router.dialects.contract import CHAT_FORM, MESSAGES, RESPONSES, Dialect, Face


@cache
def face(name: str) -> Face:
    """Give a caller's form."""
    if name == CHAT_FORM:
        return ChatFace()
    if name == RESPONSES:
        from router.dialects.responses.face import ResponsesFace

        return ResponsesFace()
    if name == MESSAGES:
        from router.dialects.messages.face import MessagesFace

        return MessagesFace()
    raise KeyError(name)


@cache
def dialect(name: str) -> Dialect:
    """Give a provider's form."""
    if name == CHAT_FORM:
        return ChatDialect()
    if name == RESPONSES:
        from router.dialects.responses.dialect import ResponsesDialect

        return ResponsesDialect()
    if name == MESSAGES:
        from router.dialects.messages.dialect import MessagesDialect

        return MessagesDialect()
    raise KeyError(name)


def form(kind: str) -> str:
    """Give the form of a kind of provider."""
    return _FORMS.get(kind, CHAT_FORM)


_FORMS: dict[str, str] = {"RESPONSES": RESPONSES, "ANTHROPIC": MESSAGES}
