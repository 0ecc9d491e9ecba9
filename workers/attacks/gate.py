"""The way out for attacks: a real egress sidecar with a policy, sites to reach and not to reach, and a lender."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self, cast

from signet.kit import log
from signet.policy import canonical
from signet.policy.model import Block, Endpoint, Network, Policy, Rule, SecretUse
from workers.attacks import sites
from workers.attacks.trap import Trap
from workers.attacks.way import ENTRY
from workers.authority import Authority
from workers.egress import BUNDLE, LISTENER, Egress, environment
from workers.placeholders import Placeholders
from workers.sandbox.launcher import Launcher
from workers.sandbox.process import Process
from workers.sandbox.sandbox import Sandbox
from workers.sidecars.egress.limits import Limits

_HERE: Final = ("127.0.0.1",)
_CURL: Final = "/usr/bin/curl"
_LIMITS: Final = Limits(connections=16, dial_seconds=1.0, handshake_seconds=2.0, idle_seconds=5.0)
# Names that lead where they must not, and whether the policy lets anybody to them: it does, to each.
_LYING: Final[Mapping[str, list[list[str]]]] = {
    "inner.test": [["127.0.0.1"]],
    "inner6.test": [["::1"]],
    "mapped.test": [["::ffff:127.0.0.1"]],
    "zero.test": [["0.0.0.0"]],  # noqa: S104 - an address that is not listened on
    "rebind.test": [["192.0.2.1"], ["127.0.0.1"]],
    "mixed.test": [["192.0.2.1", "127.0.0.1"]],
    "nat64.test": [["64:ff9b::7f00:1"]],
    "meta.test": [["169.254.169.254"]],
}
_SITES: Final = ("allowed", "flood", "forbidden", "bound", "passed", "lend", "impostor", "platform")


class _Silent(log.Log):
    """A log that nobody reads: what happens is seen by its effects."""

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        return


class _Lied:
    """A launcher whose egress sidecars resolve names by a file."""

    def __init__(self, launcher: Launcher, folder: Path) -> None:
        self._launcher = launcher
        self._folder = folder

    async def sidecar(self, _: str, *, fds: Mapping[int, int]) -> Process:
        return await self._launcher.sidecar(ENTRY, fds=fds, env={"SIGNET_NAMES": str(self._folder)})


class Gate:
    """The sites, and the sidecar of one sandbox. Made by `built`; `bundle` and `env` belong into the sandbox's spec."""

    def __init__(self, trap: Trap, folder: Path) -> None:
        folder.mkdir(mode=0o755)
        self._trap = trap
        self._folder = folder
        self._sites: dict[str, sites.Site] = {}
        self._stack = AsyncExitStack()
        self._placeholders = Placeholders()
        self._secret = trap.secret("what is lent to one site")
        self._outside = Authority.make(folder / "outside.pem", "outside", roots=_empty(folder))
        self._authority = Authority.make(folder / "bundle.pem", "attacked", roots=self._outside.bundle)
        self._egress: Egress | None = None

    @classmethod
    @asynccontextmanager
    async def built(cls, trap: Trap, folder: Path) -> AsyncIterator[Self]:
        """Start the sites; their files are in a folder, which is made."""
        gate = cls(trap, folder)
        async with gate._stack:
            await gate._start()
            yield gate

    @property
    def files(self) -> Mapping[str, Path]:
        """The files that the sandbox is shown."""
        return {BUNDLE: self._authority.bundle}

    @property
    def env(self) -> Mapping[str, str]:
        """What every process inside finds in its environment."""
        return environment(self._placeholders.env(self._policy()))

    @property
    def places(self) -> Mapping[str, Any]:
        """The bait's fields that are of the way out."""
        ports = {name: site.port for name, site in self._sites.items()}
        return {"proxy": LISTENER, "sites": ports}

    async def let(self, launcher: Launcher, sandbox: Sandbox) -> None:
        """Open the way out for a sandbox."""

        async def never(*_: object) -> str:
            return ""

        egress = Egress(
            cast("Launcher", _Lied(launcher, self._folder)),
            sandbox,
            sandbox.listeners["egress"],
            self._authority,
            _Silent("attacks"),
            placeholders=self._placeholders,
            decided=lambda _: None,
            ask=never,
            ports=(self._sites["platform"].port,),
            limits=_LIMITS,
        )
        self._stack.push_async_callback(egress.aclose)
        self._egress = egress
        document = canonical.dump(self._policy())
        await egress.load(document, (), door=f"unix:{self._folder}/door.sock", secrets_token="of no worth")  # noqa: S106 - the door here takes any

    def look(self) -> None:
        """Tell the trap if the sidecar has died, or asked for a name that carries a message."""
        if self._egress and self._egress.restarts:
            self._egress.restarts = 0
            self._trap.saw("the egress sidecar died")
        asked = self._folder / "asked"
        for name in set(asked.read_text().split()) if asked.exists() else ():
            if self._trap.token[-20:] in name:
                self._trap.saw(f"a name server was asked for {name}")
        asked.unlink(missing_ok=True)

    def _site(self, name: str, answer: sites.Answer, wrong: sites.Wrong) -> sites.Site:
        site = self._sites[name] = sites.Site(
            f"the {name} site", self._trap, answer, wrong, secret=self._secret.encode()
        )
        self._stack.push_async_callback(site.aclose)
        return site

    async def _start(self) -> None:
        secret = self._secret.encode()
        reading, lending = sites.reader_of("/open/", secret), sites.lender_of("/api/", secret)
        own = self._trap.secret("a site that one program alone may reach")
        await self._site("allowed", sites.hello, reading).start()
        await self._site("flood", sites.flood, reading).start()
        forbidden = self._trap.secret("a site that nobody may reach")
        await self._site("forbidden", sites.telling(forbidden), sites.nobody).start()
        with suppress(OSError):  # a host without IPv6, or the port is taken there
            other = sites.Site("the forbidden site", self._trap, sites.telling(forbidden), sites.nobody)
            self._stack.push_async_callback(other.aclose)
            await other.start(port=self._sites["forbidden"].port, host="::1")
        await self._site("bound", sites.telling(own), sites.anybody).start()
        await self._site("platform", sites.hello, sites.nobody).start()
        await self._site("passed", sites.hello, sites.anybody).start(self._context("passed.test"))
        await self._site("lend", sites.mirror, lending).start(self._context("lend.test"))
        stranger = Authority.make(self._folder / "stranger.pem", "stranger", roots=_empty(self._folder))
        await self._site("impostor", sites.hello, sites.nobody).start(self._context("impostor.test", stranger))
        names = {f"{name}.test": [list(_HERE)] for name in _SITES} | {"*.wild.test": [list(_HERE)], **_LYING}
        (self._folder / "names").write_text(json.dumps(names))
        door = await asyncio.start_unix_server(self._lend, self._folder / "door.sock")
        self._stack.callback(door.close)

    def _context(self, host: str, authority: Authority | None = None) -> Any:
        leaf = (authority or self._outside).leaf(host)

        def named(name: str) -> None:
            if name != host:
                self._trap.saw(f"the site {host} was asked for {name or 'no name'} in TLS")

        return sites.certified((leaf.certificate, leaf.key), self._folder / f"{host}.key", named)

    async def _lend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        known = line.split()[1].endswith(b"/lent")
        body = json.dumps({"value": self._secret}).encode()
        writer.write(sites.said(body) if known else b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    def _policy(self) -> Policy:
        port = {name: site.port for name, site in self._sites.items()}
        reading = (Rule("GET", "/open/**"),)
        blocks = (
            Block("allowed", (Endpoint("allowed.test", port["allowed"], rules=reading, allowed_ips=_HERE),)),
            Block("flood", (Endpoint("flood.test", port["flood"], rules=reading, allowed_ips=_HERE),)),
            Block("wild", (Endpoint("*.wild.test", port["allowed"], rules=reading, allowed_ips=_HERE),)),
            Block("bound", (Endpoint("bound.test", port["bound"], allowed_ips=_HERE),), (_CURL,)),
            Block("passed", (Endpoint("passed.test", port["passed"], tls="pass", allowed_ips=_HERE),)),
            Block("lend", (Endpoint("lend.test", port["lend"], allowed_ips=_HERE),)),
            Block("impostor", (Endpoint("impostor.test", port["impostor"], allowed_ips=_HERE),)),
            Block("platform", (Endpoint("platform.test", port["platform"], allowed_ips=_HERE),)),
            Block("lying", tuple(Endpoint(name, port["forbidden"]) for name in _LYING)),
        )
        uses = (
            SecretUse("lent", "lent", "TOKEN", "lend.test", port["lend"], "/api/**"),
            SecretUse("other", "lent", "OTHER_TOKEN", "impostor.test", port["impostor"], "/api/**"),
        )
        return Policy(network=Network(blocks), secrets=uses)


def _empty(folder: Path) -> Path:
    place = folder / "none.pem"
    place.touch()
    return place
