"""What worker and sidecar tell each other, over a socket pair: messages in turn, and answers by number.

To the sidecar: `load` {number, document, grants, door, token, root, placeholders, ports, roots, limits}, `leaf`
{number, certificate, key | problem}, `asked` {number, approval}. To the worker: `loaded` {number, closed} or `refused`
{number, problem}, `leaf` {number, host}, `ask` {number, host, port, binaries, rule, reason, hint}, `decided` {…},
`cut` {count}.
"""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from typing import Any

from workers.sidecars import reports

MESSAGE_BYTES = 4 * 1024 * 1024
READ_BYTES = 256 * 1024
ANSWER_SECONDS = 5.0
"""How long an answer of the other end may take."""


class Lost(Exception):
    """The other end is gone, or does not answer."""


class Channel:
    """One end. `messages` has to be iterated for answers to arrive; it ends with the other end."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._writing = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[reports.Message]] = {}

    async def tell(self, kind: str, fields: reports.Fields) -> None:
        """Send a message, whole, also when the caller is cancelled meanwhile. Raises Lost."""
        await asyncio.shield(self._send(reports.encode(kind, fields)))

    async def ask(self, kind: str, fields: reports.Fields, seconds: float = ANSWER_SECONDS) -> reports.Message:
        """Send a message and wait for its answer. Raises Lost."""
        number = next(self._numbers)
        answer: asyncio.Future[reports.Message] = self._loop.create_future()
        self._answers[number] = answer
        try:
            async with asyncio.timeout(seconds):
                await self.tell(kind, {**fields, "number": number})
                return await answer
        except TimeoutError as late:
            raise Lost(f"no answer to {kind} in {seconds:.0f} s") from late
        finally:
            del self._answers[number]

    async def messages(self) -> AsyncIterator[reports.Message]:
        """Give what is told and asked from there; answers go to whoever asked."""
        buffer = bytearray()
        try:
            while data := await self._receive():
                buffer += data
                while message := reports.take(buffer):
                    yield message
                if len(buffer) > MESSAGE_BYTES:
                    break
        finally:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(Lost("it ended"))

    def answered(self, message: reports.Message) -> None:
        """Take an answer to `ask`."""
        waiting = self._answers.get(message.fields.get("number", 0))
        if waiting and not waiting.done():
            waiting.set_result(message)

    def close(self) -> None:
        """Close it at once."""
        self._sock.close()

    async def _receive(self) -> bytes:
        try:
            return await self._loop.sock_recv(self._sock, READ_BYTES)
        except OSError:
            return b""

    async def _send(self, data: bytes) -> None:
        async with self._writing:
            try:
                await self._loop.sock_sendall(self._sock, data)
            except OSError as error:
                raise Lost("it ended") from error


def number(message: reports.Message) -> dict[str, Any]:
    """Give what an answer has to repeat."""
    return {"number": message.fields["number"]}
