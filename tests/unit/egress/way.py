"""The sidecar in this process, on real sockets, with a worker's end that a test can look at."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from signet.policy import canonical
from signet.policy.decide import GrantView
from signet.policy.document import parse
from workers.authority import Authority
from workers.placeholders import Placeholders
from workers.sidecars import reports
from workers.sidecars.egress.channel import Channel, number
from workers.sidecars.egress.limits import Limits
from workers.sidecars.egress.main import Egress


@dataclass
class Way:
    """One way out. `names` resolve to these addresses; `decided` is what was reported, `asked` what people would be."""

    authority: Authority
    roots: Path
    names: dict[str, list[str]] = field(default_factory=dict)
    decided: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    lookups: list[str] = field(default_factory=list)
    placeholders: Placeholders = field(default_factory=Placeholders)
    approval: str = "approvals/a1"
    port: int = 0
    noted: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def start(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        self.sidecar = Egress(self.listener, theirs, self.lookup)
        self.tasks = [asyncio.create_task(self.sidecar.run()), asyncio.create_task(self._hear())]

    async def aclose(self) -> None:
        self.channel.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.listener.close()

    async def lookup(self, host: str) -> list[str]:
        self.lookups.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]

    async def load(
        self,
        text: str,
        grants: Sequence[GrantView] = (),
        *,
        door: str = "unix:/nowhere",
        ports: Sequence[int] = (),
        limits: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        policy = parse("version: 1\n" + text)
        order = {
            "document": canonical.dump(policy), "grants": [asdict(grant) for grant in grants], "door": door,
            "token": "sgr_test", "root": os.getpid(), "placeholders": dict(self.placeholders.texts(policy)),
            "ports": list(ports), "roots": str(self.roots), "limits": asdict(Limits(**(limits or {}))),
        }  # fmt: skip
        return await self.put(order)

    async def put(self, order: dict[str, Any]) -> dict[str, Any]:
        answer = await self.channel.ask("load", order)
        return {"kind": answer.kind, **answer.fields}

    async def told(self, **wanted: Any) -> dict[str, Any]:
        """Wait until a decision like this was reported."""
        async with asyncio.timeout(10), self.noted:
            while True:
                for one in self.decided:
                    if wanted.items() <= one.items():
                        return one
                await self.noted.wait()

    async def question(self) -> dict[str, Any]:
        """Wait until somebody was asked."""
        async with asyncio.timeout(10), self.noted:
            await self.noted.wait_for(lambda: self.asked)
        return self.asked[0]

    async def raw(self, data: bytes) -> bytes:
        """Send bytes, and give all that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def curl(self, *arguments: str) -> tuple[int, str, str]:
        """Run the real one through the proxy; its exit code, output and errors."""
        return await run(
            "curl", "-sS", "--max-time", "20", "--noproxy", "", "-x", f"http://127.0.0.1:{self.port}",
            "--cacert", str(self.authority.bundle), *arguments,
        )  # fmt: skip

    async def _hear(self) -> None:
        async for message in self.channel.messages():
            await self._message(message)
            async with self.noted:
                self.noted.notify_all()

    async def _message(self, message: reports.Message) -> None:
        if message.kind == "decided":
            self.decided.append(message.fields)
        elif message.kind == "leaf":
            leaf = self.authority.leaf(message.fields["host"])
            fields = {**number(message), "certificate": leaf.certificate, "key": leaf.key}
            await self.channel.tell("leaf", fields)
        elif message.kind == "ask":
            self.asked.append(message.fields)
            await self.channel.tell("asked", {**number(message), "approval": self.approval})
        else:
            self.channel.answered(message)


async def run(*argv: str, given: bytes = b"") -> tuple[int, str, str]:
    """Run a program to its end."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate(given)
    return process.returncode or 0, out.decode("latin-1"), err.decode("latin-1")
