"""The sidecar `egress` lets a sandbox out where its policy does.

It accepts on fd 3 (the sandbox's 127.0.0.1:3128) and takes orders on fd 4 (its worker). It takes CONNECT and plain
requests of HTTP/1.1; names are resolved here, so that DNS over UDP is not offered inside. Before the first `load`
nothing is accepted.
"""

import asyncio
import contextlib
import signal
import socket
from typing import Any

from signet.kit import log
from workers.sidecars.egress import dial
from workers.sidecars.egress.admission import Admission
from workers.sidecars.egress.channel import Channel, Lost, number
from workers.sidecars.egress.connection import Connection, Shared, refuse
from workers.sidecars.egress.denial import Denied
from workers.sidecars.egress.order import Order
from workers.sidecars.egress.rules import Rules
from workers.sidecars.egress.tally import Tally
from workers.sidecars.egress.trust import Trust
from workers.sidecars.egress.vault import Vault
from workers.sidecars.egress.wire import Plain
from workers.sidecars.reports import Message

LISTENER, CONTROL = 3, 4
OVER = 16
"""Connections over the bound that are told so at a time; more are closed without a word."""
_FULL = "as many connections as may be are open"


class Egress:
    """The sidecar. `run` returns when the worker closes its end. `lookup` resolves names."""

    def __init__(self, listener: socket.socket, control: socket.socket, lookup: dial.Lookup = dial.system) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._channel = Channel(control)
        self._tally = Tally(self._channel)
        self._rules = Rules(
            lambda passage, decision: self._tally.note(
                decision, passage.target, address=passage.address, shown=passage.shown
            )
        )
        self._admission = Admission(self._rules, self._tally, self._channel, lookup)
        self._shared: Shared | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._refusing: set[asyncio.Task[None]] = set()
        self._log = log.get("egress")

    async def run(self) -> None:
        """Obey, accept, and tell."""
        telling = asyncio.create_task(self._tally.run())
        accepting: asyncio.Task[None] | None = None
        try:
            async for message in self._channel.messages():
                if message.kind == "load":
                    await self._load(message)
                else:
                    self._channel.answered(message)
                if accepting is None and self._shared:
                    accepting = asyncio.create_task(self._accept())
        finally:
            self._rules.close()
            tasks = [telling, *self._serving, *self._refusing, *([accepting] if accepting else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._channel.close()

    async def _load(self, message: Message) -> None:
        """Put an order in force, or keep the last one that was good and say why."""
        fields = dict(message.fields)
        fields.pop("number")
        answer: dict[str, Any]
        try:
            order = Order.read(fields)
        except (ValueError, TypeError, KeyError) as error:
            kind, answer = "refused", {"problem": str(error)[:1000]}
        else:
            kind, answer = "loaded", {"closed": self._put(order)}
        with contextlib.suppress(Lost):
            await self._tally.flush()  # who loads has heard before what was decided before
            await self._channel.tell(kind, {**number(message), **answer})

    def _put(self, order: Order) -> int:
        was = self._rules.order
        trust = self._shared.trust if self._shared else Trust(self._channel, order.roots)
        known = self._shared and was and (was.door, was.token) == (order.door, order.token)
        vault = self._shared.vault if self._shared and known else Vault(order.door, order.token)
        self._admission.identify(order.root)
        self._shared = Shared(self._rules, self._admission, vault, trust, order.limits)
        return self._rules.put(order)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(self._listener)
            except OSError:  # no descriptor is left, for now
                await asyncio.sleep(0.1)
                continue
            if sock.family == socket.AF_INET:  # and not the end of another engine's tunnel
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._shared:
                self._take(Plain(sock), self._shared)

    def _take(self, client: Plain, shared: Shared) -> None:
        if len(self._serving) < shared.limits.connections:
            task = asyncio.create_task(self._serve(client, shared))
            self._serving.add(task)
            task.add_done_callback(self._served)
        elif len(self._refusing) < OVER:
            task = asyncio.create_task(_full(client, shared.limits.connections))
            self._refusing.add(task)
            task.add_done_callback(self._refusing.discard)
        else:
            client.close()

    async def _serve(self, client: Plain, shared: Shared) -> None:
        task = asyncio.current_task()
        if task:
            await Connection(client, shared, task).run()

    def _served(self, task: "asyncio.Task[None]") -> None:
        self._serving.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._log.error("connection_failed", error=type(error).__name__)


async def _full(client: Plain, most: int) -> None:
    try:
        await refuse(client, Denied(503, "too_many_connections", f"{_FULL}: {most}"))
    finally:
        client.close()


def main(lookup: dial.Lookup = dial.system) -> None:
    """Run as a fork of the zygote, or by hand with a listener at fd 3 and a socket at fd 4."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # who hangs up is one error of one connection
    listener, control = socket.socket(fileno=LISTENER), socket.socket(fileno=CONTROL)

    async def serve() -> None:
        await Egress(listener, control, lookup).run()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
