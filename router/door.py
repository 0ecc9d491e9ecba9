"""The door: HTTP for sandboxes, scripts and any client; a plain ASGI application that knows who serves which path."""

import traceback
import uuid
from collections.abc import Mapping
from typing import Protocol

from router.dialects.contract import CHAT_FORM
from router.dialects.forms import face
from router.joined import DEPARTURE
from router.observe.tally import Tally
from router.refusal import Refusal
from router.reply import Message, Receive, Reply, Send
from router.sink import CallerGone
from router.visit import Visit
from signet.kit.log import Log

_NOT_THE_CALLERS = 500  # from this status on it is for the operator to know


class Handler(Protocol):
    """Serves some paths. `face` is the form in which its callers are told of errors."""

    @property
    def face(self) -> str:
        """Name of the form."""

    async def serve(self, visit: Visit) -> None:
        """Answer one request. Raises Refusal, and CallerGone."""


class Health:
    """Says that the door is open."""

    face = CHAT_FORM

    async def serve(self, visit: Visit) -> None:
        """Say so."""
        visit.allow("GET")
        await visit.reply.whole(b'{"status":"ok"}')


class Nobody:
    """Serves what nobody else does."""

    face = CHAT_FORM

    def __init__(self, paths: Mapping[str, Handler]) -> None:
        self._known = ", ".join(path for path in sorted(paths) if path.startswith("/v1/") and not path.endswith("/"))

    async def serve(self, visit: Visit) -> None:
        """Say what there is."""
        raise Refusal(404, "invalid_request", f"there is no {visit.path}; there are {self._known}")


class Door:
    """Answers HTTP. `paths` gives handlers by path, one ending in a slash serves all below it, the longest first.

    `body_bytes` bounds a request's body, `idle_seconds` the wait for a caller that sends nothing or reads nothing.
    """

    def __init__(
        self, paths: Mapping[str, Handler], tally: Tally, log: Log, *, body_bytes: int, idle_seconds: float
    ) -> None:
        self._paths = {"/health": Health(), **paths}
        below = sorted((path for path in paths if path.endswith("/")), key=len, reverse=True)
        self._below = [(path, paths[path]) for path in below]
        self._nobody = Nobody(paths)
        self._tally = tally
        self._log = log
        self._body_bytes = body_bytes
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the door speaks HTTP only, not {scope['type']}")
        handler = self._handler(scope["path"])
        reply = Reply(send, scope["state"][DEPARTURE], self._idle_seconds, face(handler.face))
        self._tally.open += 1
        try:
            await handler.serve(
                Visit(scope, receive, reply, body_bytes=self._body_bytes, idle_seconds=self._idle_seconds)
            )
        except Refusal as refusal:
            await self._refuse(reply, refusal)
        except CallerGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets one clear error
            await self._refuse(reply, self._fault(error))
        finally:
            self._tally.open -= 1
            reply.close()

    def _handler(self, path: str) -> Handler:
        found = self._paths.get(path)
        if found is not None:
            return found
        return next((handler for prefix, handler in self._below if path.startswith(prefix)), self._nobody)

    async def _refuse(self, reply: Reply, refusal: Refusal) -> None:
        self._tally.refused(refusal.code)
        if refusal.status >= _NOT_THE_CALLERS:
            self._log.warning("call_refused", status=refusal.status, code=refusal.code)
        try:
            await reply.broken(refusal)
        except CallerGone:
            return

    def _fault(self, error: Exception) -> Refusal:
        ident = uuid.uuid4().hex[:12]
        at = [
            f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        self._log.error("call_failed", error_id=ident, kind=type(error).__name__, at=at[-6:])
        return Refusal(500, "internal_error", f"a fault of the router's; its log has it as {ident}")
