"""The sidecar `inference` forwards a sandbox's requests for models and APIs to the router, in the run's name.

It accepts on fd 3 (the sandbox's `inference.local`) and takes orders on fd 4 (its worker). Before `arm` and after
`disarm` everything is refused. Credentials that the sandbox sends are dropped; the run's are added. Every exchange is
reported. `renew` brings the token of a policy that has changed meanwhile.
"""

import asyncio
import signal
import socket

from workers.sidecars import http, reports
from workers.sidecars.exchange import ROOT, Armed, Exchange, of_api
from workers.sidecars.http import Gone, Head, Refused, Wire

LISTENER, CONTROL = 3, 4
CONNECTIONS = 8
"""Connections served at once; others wait in the listener's queue."""
REQUEST_SECONDS = 60.0
"""From the first byte of a request to its last."""
LINGER_SECONDS = 1.0
ROUTES = {
    "/v1/chat/completions": "POST",
    "/v1/responses": "POST",
    "/v1/responses/input_tokens": "POST",
    "/v1/messages": "POST",
    "/v1/messages/count_tokens": "POST",
    "/v1/embeddings": "POST",
    "/v1/models": "GET",
    ROOT: "GET",
}
UNSENT = ("CONNECT", "TRACE")
"""Methods that no API is called by."""


def decide(head: Head, armed: Armed | None) -> Refused | None:
    """Let a request through, or say why not."""
    method, target = head.words
    path = target.partition("?")[0]
    if armed is None:
        return Refused(403, "not_armed", "no run is going on in this sandbox")
    if of_api(target):
        return Refused(405, "method_not_allowed", f"no API takes {method}") if method in UNSENT else None
    if path not in ROUTES:
        return Refused(404, "unknown_url", f"inference.local has {', '.join(ROUTES)} and {ROOT}/NAME/…")
    if method != ROUTES[path]:
        return Refused(405, "method_not_allowed", f"{path} takes {ROUTES[path]}")
    return None


class Inference:
    """The sidecar. `run` returns when the worker closes its end."""

    def __init__(self, listener: socket.socket, control: socket.socket) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._control = Wire(control)
        self._armed: Armed | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._speaking = asyncio.Lock()

    async def run(self) -> None:
        """Accept and obey."""
        accepting = asyncio.create_task(self._accept())
        while await self._control.fill():
            while order := reports.take(self._control.buffer):
                await self._obey(order)
                await self._report(f"{order.kind}ed", {})
        accepting.cancel()

    async def _obey(self, order: reports.Message) -> None:
        if order.kind == "renew":
            if self._armed:
                self._armed.policy = order.fields["policy"]
            return
        self._armed = Armed(**order.fields) if order.kind == "arm" else None
        if order.kind == "disarm":
            await self._drop()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            try:
                sock, _ = await loop.sock_accept(self._listener)
            except OSError:  # no descriptor is left, for now
                self._slots.release()
                await asyncio.sleep(0.1)
                continue
            task = asyncio.create_task(self._serve(Wire(sock)))
            self._serving.add(task)
            task.add_done_callback(self._served)

    def _served(self, task: "asyncio.Task[None]") -> None:
        self._serving.discard(task)
        self._slots.release()

    async def _drop(self) -> None:
        """Break off every connection and wait until their exchanges are reported."""
        tasks = list(self._serving)
        for task in tasks:
            task.cancel("the run ended")
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, client: Wire) -> None:
        try:
            while client.buffer or await client.fill():
                async with asyncio.timeout(REQUEST_SECONDS):
                    asked = await self._asked(client)
                if not asked or not await Exchange(client, asked[1], self._report).run(asked[0], asked[2]):
                    break
        except (Gone, TimeoutError):
            return
        except Refused as refused:
            await refuse(client, refused)
        finally:
            client.close()

    async def _asked(self, client: Wire) -> tuple[Head, Armed, bytes] | None:
        """Read a request that may be forwarded. Raises Refused, Gone."""
        found = await http.request(client)
        if found is None:
            return None
        head, length = found
        armed = self._armed
        refused = decide(head, armed)
        if refused or armed is None:
            raise refused or Gone("not armed")
        if head.one("expect").lower() == "100-continue":
            await client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        async for piece in http.body(client, length):
            body += piece
            if len(body) > http.BODY_BYTES:
                raise Refused(413, "request_too_large", f"a request may have {http.BODY_BYTES} bytes at most")
        if armed is not self._armed:
            raise Gone("the run ended meanwhile")
        return head, armed, bytes(body)

    async def _report(self, kind: str, fields: reports.Fields, body: bytes = b"") -> None:
        """Tell the worker; whole, also when the one who tells is cancelled meanwhile."""
        await asyncio.shield(self._tell(reports.encode(kind, fields, body)))

    async def _tell(self, message: bytes) -> None:
        async with self._speaking:
            await self._control.send(message)


async def refuse(client: Wire, refused: Refused) -> None:
    """Answer with an error, then read on for a moment, so that it is not lost with what was not read."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            await client.send(http.error(refused))
            client.end_writing()
            while await client.fill():
                client.buffer.clear()
    except (Gone, TimeoutError):
        return


def main() -> None:
    """Run as a fork of the zygote, or by hand with a listener at fd 3 and a socket at fd 4."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # who hangs up is one error of one connection
    listener, control = socket.socket(fileno=LISTENER), socket.socket(fileno=CONTROL)

    async def serve() -> None:
        await Inference(listener, control).run()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
