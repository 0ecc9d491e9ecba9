"""The real embedded models behind one loopback address: the router's own child, and a plain way through to it."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from router.embedded.plan import Plan, Report

ROOT = Path(__file__).resolve().parents[3]
LOAD_SECONDS = 120
END_SECONDS = 10


@asynccontextmanager
async def embedded() -> AsyncIterator[str]:
    """Start both models, serve them, and give the base address. Raises RuntimeError where one does not load."""
    with tempfile.TemporaryDirectory(prefix="sg", dir="/tmp") as folder:  # a socket's path is short
        at = Path(folder)
        plan = Plan(str(at / "chat.sock"), str(at / "embeddings.sock"), str(at / "verified"))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "router.embedded",
            cwd=ROOT,
            env={**os.environ, "SIGNET_PARENT": str(os.getpid())},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await _ready(process, plan)
            server = await asyncio.start_server(lambda reader, writer: _through(plan, reader, writer), "127.0.0.1", 0)
            async with server:
                yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        finally:
            if process.returncode is None:
                process.kill()
            async with asyncio.timeout(END_SECONDS):
                await process.wait()


async def _ready(process: asyncio.subprocess.Process, plan: Plan) -> None:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process with pipes has none")
    process.stdin.write(plan.line())
    async with asyncio.timeout(LOAD_SECONDS):
        for _ in range(2):
            report = Report.parse(await process.stdout.readline())
            if not report.ready:
                raise RuntimeError(f"{report.part}: {report.detail}")


async def _through(plan: Plan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass one request on, the provider's name taken off the model's, and its answer back."""
    upstream: asyncio.StreamWriter | None = None
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:"))
        content = json.loads(await reader.readexactly(length))
        content["model"] = content["model"].removeprefix("embedded/")
        path = head.split(" ")[1]
        body = json.dumps(content).encode()
        answers, upstream = await asyncio.open_unix_connection(
            plan.embeddings_socket if path.endswith("/embeddings") else plan.chat_socket
        )
        ask = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n"
        upstream.write(f"{ask}content-length: {len(body)}\r\n\r\n".encode() + body)
        while chunk := await answers.read(65536):
            writer.write(chunk)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        return
    finally:
        if upstream is not None:
            upstream.close()
        writer.close()
