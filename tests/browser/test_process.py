"""The web process as a program: it says when it serves, why it does not, and what is wrong behind it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.harness.fleet import short_folder
from tests.harness.ports import free_port
from tests.harness.process import Process
from web.main import bind
from web.options import WebOptions


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    made = short_folder()
    yield made
    shutil.rmtree(made)


def web(folder: Path, port: int) -> Process:
    return Process(folder, "web", "--data", str(folder / "data"), "--set", f"port={port}")


async def test_an_occupied_port_is_named_with_the_option_that_chooses_another(folder: Path) -> None:
    with bind(WebOptions(port=0)) as taken:
        port = taken.getsockname()[1]
        process = web(folder, port)
        await process.start()
        code = await process.wait()
        await process.stop()

    assert code == 1
    assert f"127.0.0.1:{port}" in process.said
    assert "web.port" in process.said
    assert "Traceback" not in process.said


async def test_without_control_it_serves_and_says_that_it_is_not_ready(folder: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with web(folder, port) as process, httpx.AsyncClient(base_url=address, timeout=30) as client:
        alive = await client.get("/healthz")
        ready = await client.get("/readyz")
        page = await client.get("/runs", headers={"cookie": f"signet-{port}=sgt_x"})

        assert (alive.status_code, ready.status_code, page.status_code) == (200, 503, 503)
        assert 'http-equiv="refresh"' in page.text
        assert "signet up" in page.text
        assert await process.stop() == 0


async def test_bad_options_are_named_together(folder: Path) -> None:
    words = ("--set", "port=many", "--set", "strems=1")
    process = Process(folder, "web", "--data", str(folder / "data"), *words)
    await process.start()
    code = await process.wait()
    await process.stop()

    assert code == 1
    assert "web.port must be a whole number" in process.said
    assert "Did you mean streams?" in process.said
