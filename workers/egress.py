"""The worker's end of a sandbox's way out: its sidecar is forked when something wants out, and told what may."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from signet.kit.log import Log
from signet.policy import canonical
from signet.policy.decide import Attempt, Decision, GrantView
from workers.authority import Authority
from workers.backoff import Backoff
from workers.placeholders import Placeholders
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.process import Process
from workers.sidecars.egress.channel import Channel, Lost, number
from workers.sidecars.egress.limits import Limits
from workers.sidecars.reports import Message

ENTRY = "workers.sidecars.egress.main:main"
PRELOAD = "workers.sidecars.egress.main"
LISTENER = ("127.0.0.1", 3128)
"""Where the way out is within a sandbox."""
BUNDLE = "/etc/signet/ca.pem"
"""Where the authority's bundle is shown within a sandbox."""
PORTS = (7400, 7410, 7411)
"""The platform's own, which no sandbox reaches."""
QUESTIONS = 64
"""Questions to people that are open at a time; one more is not asked."""


class EgressRefused(Exception):
    """What was to be loaded is not in force; the last that was good still is."""


class Sandboxed(Protocol):
    """What the way out has to know of a sandbox: its name, and its pid 1 as the host numbers it."""

    @property
    def name(self) -> str:
        """Give its name."""

    @property
    def pid(self) -> int:
        """Give its pid 1."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on a connection, or on a request where it was read. `path` is without its query; "" is unknown.

    `binary` is attribution, and can be forged. `verdict` is allow, deny or audit. `count` is how often, where the
    sidecar could not tell each by itself; it does not make two decisions different.
    """

    host: str
    port: int
    address: str
    binary: str
    method: str
    path: str
    verdict: str
    rule: str
    reason: str
    count: int = field(default=1, compare=False)


def environment(placeholders: Mapping[str, str], bundle: str = BUNDLE) -> dict[str, str]:
    """Give what every process inside finds in its environment. `placeholders` are those of `Placeholders.env`."""
    proxy = f"http://{LISTENER[0]}:{LISTENER[1]}"
    around = "127.0.0.1,localhost,inference.local"
    proxies = {name: proxy for upper in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") for name in (upper, upper.lower())}
    trusting = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS")
    return {**proxies, "NO_PROXY": around, "no_proxy": around, **dict.fromkeys(trusting, bundle), **placeholders}


class Egress:
    """The way out of one sandbox, on a listener that the sandbox keeps. Before the first `load` nobody is let out.

    `decided` is told of every decision. `ask` puts a question to a person: it gives the approval's name, "" where none
    was made; a grant that follows comes by `load`. `restarts` counts the sidecars that died.
    """

    def __init__(
        self,
        launcher: Launcher,
        sandbox: Sandboxed,
        listener: socket.socket,
        authority: Authority,
        log: Log,
        *,
        placeholders: Placeholders,
        decided: Callable[[Decided], None],
        ask: Callable[[Attempt, Decision], Awaitable[str]],
        ports: Sequence[int] = PORTS,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self.restarts = 0
        self._launcher, self._sandbox = launcher, sandbox
        self._listener = listener.dup()  # watched here, whenever the sandbox closes its own
        self._authority, self._log, self._placeholders = authority, log, placeholders
        self._decided, self._ask = decided, ask
        self._fixed = {
            "root": sandbox.pid, "ports": list(ports), "limits": asdict(limits),
            "roots": str(authority.roots or ""),
        }  # fmt: skip
        self._loop = asyncio.get_running_loop()
        self._order: Mapping[str, Any] | None = None
        self._channel: Channel | None = None
        self._living: asyncio.Task[None] | None = None
        self._questions: set[asyncio.Task[None]] = set()
        self._backoff = Backoff(first=0.02, most=5.0)
        self._watched = False
        self._loading = asyncio.Lock()

    @property
    def living(self) -> bool:
        """Whether its sidecar runs: something wanted out."""
        return self._living is not None

    async def load(
        self, document: str, grants: Sequence[GrantView], *, door: str, secrets_token: str, run: str = ""
    ) -> int:
        """Put a policy (its canonical form) and grants in force; how many connections were closed for it.

        `door` is the router's, unix:/path or host:port, and `secrets_token` what it lends secrets for. `run` is for the
        log. Raises EgressRefused.
        """
        async with self._loading:
            try:
                policy = canonical.load(document)
            except ValueError as error:
                raise EgressRefused(str(error)) from error
            order = {
                **self._fixed, "document": document, "grants": [asdict(grant) for grant in grants], "door": door,
                "token": secrets_token, "placeholders": dict(self._placeholders.texts(policy)),
            }  # fmt: skip
            closed = 0
            if self._channel:
                closed = await self._put(self._channel, order)
            self._order = order
            self._watch()
        self._log.info("egress_loaded", sandbox=self._sandbox.name, run=run, closed=closed)
        return closed

    async def aclose(self) -> None:
        """End it; the listener stays the sandbox's."""
        self._order = None
        self._unwatch()
        tasks = [*self._questions, *([self._living] if self._living else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._unwatch()
        self._listener.close()

    async def _put(self, channel: Channel, order: Mapping[str, Any]) -> int:
        try:
            answer = await channel.ask("load", order)
        except Lost:  # a new one is forked with the new order
            return 0
        if answer.kind != "loaded":
            raise EgressRefused(str(answer.fields.get("problem", "it was refused")))
        return int(answer.fields["closed"])

    def _watch(self) -> None:
        """Wait for somebody who wants out."""
        if self._order and not self._living and not self._watched and self._listener.fileno() >= 0:
            self._watched = True
            self._loop.add_reader(self._listener, self._wanted)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._listener)

    def _wanted(self) -> None:
        self._unwatch()
        self._living = self._loop.create_task(self._live())
        self._living.add_done_callback(self._died)

    async def _live(self) -> None:
        """Fork a sidecar and serve it until it dies."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        channel = Channel(ours)
        process: Process | None = None
        try:
            with theirs:
                fds = {3: self._listener.fileno(), 4: theirs.fileno()}
                process = await self._launcher.sidecar(ENTRY, fds=fds)
            await self._serve(channel)
            self.restarts += 1
            self._log.warning("egress_ended", sandbox=self._sandbox.name, code=await process.wait())
        except SandboxUnavailable as error:
            self._log.warning("egress_unavailable", sandbox=self._sandbox.name, reason=error.reason)
        finally:
            self._channel = None
            channel.close()
            if process:
                await process.signal(signal.SIGKILL)
        await asyncio.sleep(self._backoff.next())

    async def _serve(self, channel: Channel) -> None:
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(self._start(channel))
            async for message in channel.messages():
                await self._hear(channel, message)
            starting.cancel()

    async def _start(self, channel: Channel) -> None:
        """Tell a new one what is in force; what is loaded from now on, it is told as well."""
        async with self._loading:
            if self._order:
                with contextlib.suppress(EgressRefused):
                    await self._put(channel, self._order)
            self._channel = channel
        self._backoff.reset()

    def _died(self, task: "asyncio.Task[None]") -> None:
        self._living = None
        if not task.cancelled() and (error := task.exception()):
            self._log.error("egress_failed", sandbox=self._sandbox.name, error=type(error).__name__)
        self._watch()

    async def _hear(self, channel: Channel, message: Message) -> None:
        if message.kind in ("loaded", "refused"):
            channel.answered(message)
        elif message.kind == "decided":
            self._decided(Decided(**message.fields))
        elif message.kind == "leaf":
            await self._tell(channel, "leaf", {**number(message), **self._leaf(message.fields["host"])})
        elif message.kind == "ask" and len(self._questions) >= QUESTIONS:
            await self._tell(channel, "asked", {**number(message), "approval": ""})
        elif message.kind == "ask":
            question = self._loop.create_task(self._question(channel, message))
            self._questions.add(question)
            question.add_done_callback(self._questions.discard)
        elif message.kind == "cut":
            self._log.warning("egress_decisions_cut", sandbox=self._sandbox.name, count=message.fields["count"])

    def _leaf(self, host: str) -> Mapping[str, str]:
        try:
            leaf = self._authority.leaf(host)
        except ValueError:
            return {"problem": "no certificate can name it"}
        return {"certificate": leaf.certificate, "key": leaf.key}

    async def _question(self, channel: Channel, message: Message) -> None:
        fields = message.fields
        attempt = Attempt(fields["host"], fields["port"], tuple(fields["binaries"]))
        decision = Decision("deny", fields["rule"], fields["reason"], ask=True, hint=fields["hint"])
        approval = ""
        try:
            approval = await self._ask(attempt, decision)
        except Exception as error:  # noqa: BLE001 - whoever asks may fail as it likes: it stays denied
            self._log.warning("egress_not_asked", sandbox=self._sandbox.name, error=type(error).__name__)
        await self._tell(channel, "asked", {**number(message), "approval": approval})

    async def _tell(self, channel: Channel, kind: str, fields: Mapping[str, Any]) -> None:
        with contextlib.suppress(Lost):  # it died meanwhile
            await channel.tell(kind, fields)
