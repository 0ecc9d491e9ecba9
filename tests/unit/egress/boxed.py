"""A real sandbox with its way out, tried from inside. Standard library only, for an ordinary user's Python.

    python boxed.py ROOT FOLDER

Prints what programs inside got, and what was reported of them, as JSON.
"""

import asyncio
import json
import os
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])

from signet.policy import canonical
from signet.policy.model import Block, Endpoint, Network, Policy
from workers.sandbox.launcher import Launcher
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Spec
from workers.sidecars.egress.channel import Channel
from workers.sidecars.egress.limits import Limits

GET = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=20).read().decode())"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
    writer.close()


async def run(sandbox: Sandbox, *argv: str) -> str:
    """Run a program inside, and give what it printed."""
    read, write = os.pipe()
    process = await sandbox.start(Command(argv), fds={1: write, 2: write}, env={"http_proxy": "http://127.0.0.1:3128"})
    os.close(write)
    with os.fdopen(read) as output:
        text = await asyncio.to_thread(output.read)
    await process.wait()
    return text


async def main(folder: Path) -> dict[str, Any]:
    site = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = site.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}/x"
    endpoint = Endpoint("127.0.0.1", port, allowed_ips=("127.0.0.1",))
    policy = Policy(network=Network((Block("site", (endpoint,), ("/usr/bin/curl",)),)))
    decided: list[dict[str, Any]] = []
    async with await Launcher.start(["workers.sidecars.egress.main"]) as launcher:
        spec = Spec("egress-1", folder / "workspace", 200001, listeners={"egress": ("127.0.0.1", 3128)})
        sandbox = await launcher.open(spec)
        ours, theirs = socket.socketpair()
        channel = Channel(ours)

        async def hear() -> None:
            async for message in channel.messages():
                if message.kind == "decided":
                    decided.append(message.fields)
                channel.answered(message)

        hearing = asyncio.create_task(hear())
        fds = {3: sandbox.listeners["egress"].fileno(), 4: theirs.fileno()}
        await launcher.sidecar("workers.sidecars.egress.main:main", fds=fds)
        theirs.close()
        order = {
            "document": canonical.dump(policy), "grants": [], "door": "", "token": "", "root": sandbox.pid,
            "placeholders": {}, "ports": [], "roots": "", "limits": asdict(Limits()),
        }  # fmt: skip
        await channel.ask("load", order)
        got = {
            "curl": await run(sandbox, "/usr/bin/curl", "-sS", url),
            "python": await run(sandbox, "/usr/bin/python3", "-c", GET, url),
            "direct": await run(sandbox, "/usr/bin/curl", "-sS", "--noproxy", "*", url),
        }
        await sandbox.aclose()
        hearing.cancel()
    site.close()
    return {"got": got, "decided": decided}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(Path(sys.argv[2])))))
