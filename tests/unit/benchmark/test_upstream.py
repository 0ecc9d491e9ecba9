"""The scripted upstream, served for real: it asks for the tool once, then answers."""

import asyncio
import socket

import httpx

from benchmark import upstream
from benchmark.suites import run


async def test_the_bare_loop_runs_through_it_and_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = asyncio.create_task(upstream.main(listener))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", timeout=30) as client:
            models = await client.get("/models")
            call = await run._ask(client, [{"role": "user", "content": "x"}])
            done = await run._ask(client, [{"role": "tool", "content": "x"}])
            async with asyncio.timeout(30):
                await run._bare(client)
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)

    assert models.json()["data"][0]["id"] == upstream.MODEL
    assert call is not None
    assert call["function"]["name"] == "exec"
    assert done is None
