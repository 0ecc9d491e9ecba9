"""What the platform adds to a run: the same loop through it and without it, in one process, one after the other."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from benchmark import events
from benchmark.fleet import Fleet, fleet
from benchmark.machine import Machine, cpu_seconds
from benchmark.report import Report, Row, percentiles
from benchmark.upstream import COMMAND, MODEL
from signet.client import AsyncSignet

RUNS = 100
WARM_UP = 5
AGENT = "bench"
INPUT = f"Run `{COMMAND}`, then say that you are done."
REFERENCE = "same loop, no platform"

_TOOL = {
    "type": "function",
    "function": {
        "name": "exec",
        "description": "Run a shell command.",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
}


def measure(runs: int = RUNS) -> Report:
    """Take all rows of the suite: `added_latency`, `cpu_per_run`, `events_per_second`."""
    return asyncio.run(_measure(runs))


async def _measure(runs: int) -> Report:
    machine = Machine.here()
    async with _upstream() as base_url:
        environment = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "none", "OPENAI_MODEL": MODEL}
        with fleet(embedded=False, environment=environment) as running:
            rows = await _compared(running, base_url, runs)
            rows += await events.rows(running)
    return Report("run", machine, tuple(rows))


async def _compared(running: Fleet, base_url: str, runs: int) -> list[Row]:
    """Interleave both, so that what else the machine does falls on both."""
    ours: list[float] = []
    bare: list[float] = []
    added: list[float] = []
    platform_cpu = bare_cpu = 0.0
    async with AsyncSignet(data=str(running.data)) as signet, httpx.AsyncClient(base_url=base_url) as upstream:
        await signet.agents.create(name=AGENT, soul="general", toolsets=["terminal"], model=f"openai/{MODEL}")
        for index in range(WARM_UP + runs):
            before, own, start = cpu_seconds(running.pid), _own_cpu(), time.perf_counter()
            await _bare(upstream)
            middle, own_middle = time.perf_counter(), _own_cpu()
            await _through(signet)
            end, after = time.perf_counter(), cpu_seconds(running.pid)
            if index >= WARM_UP:
                bare.append((middle - start) * 1e3)
                ours.append((end - middle) * 1e3)
                added.append(ours[-1] - bare[-1])
                platform_cpu += after - before
                bare_cpu += own_middle - own
    p50, p99 = percentiles(added)
    ratio = percentiles(ours)[0] / percentiles(bare)[0]
    return [
        Row("added_latency", "ms", runs, p50=p50, p99=p99, reference=REFERENCE, ratio=ratio, goal=40),
        Row(
            "cpu_per_run", "ms", runs, value=platform_cpu / runs * 1e3, reference=REFERENCE,
            ratio=platform_cpu / bare_cpu, note="every process of the fleet, sandboxes too",
        ),
    ]  # fmt: skip


async def _through(signet: AsyncSignet) -> None:
    async for event in signet.run(AGENT, INPUT):
        if event.WhichOneof("kind") == "finished" and event.finished.outcome != "SUCCEEDED":
            raise RuntimeError(f"a run failed: {event.finished.reason} {event.finished.message}")


async def _bare(upstream: httpx.AsyncClient) -> None:
    """Do what a run does: ask, run the command asked for, ask again with its output, until there is an answer."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": INPUT}]
    while call := await _ask(upstream, messages):
        command = json.loads(call["function"]["arguments"])["command"]
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", command, stdout=subprocess.PIPE)
        output, _ = await process.communicate()
        messages.append({"role": "assistant", "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": output.decode()})


async def _ask(upstream: httpx.AsyncClient, messages: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Stream one completion; give the tool call that it asks for, if any."""
    call = None
    request = {"model": MODEL, "messages": messages, "tools": [_TOOL], "stream": True}
    async with upstream.stream("POST", "/chat/completions", json=request) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    call = (choice["delta"].get("tool_calls") or [call])[0]
    return call


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@asynccontextmanager
async def _upstream() -> AsyncIterator[str]:
    """Run the scripted upstream as a process of its own, so that its cost is nobody's here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        descriptor = listener.fileno()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmark.upstream", str(descriptor), pass_fds=[descriptor]
        )
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        await process.wait()
