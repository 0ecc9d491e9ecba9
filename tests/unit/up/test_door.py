"""The supervisor's door: a question, an answer, and nobody but the owner."""

import asyncio
import socket
from pathlib import Path

import pytest

from signet.up.door import Door, ask


async def test_a_question_is_answered_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "up.sock"
    async with Door(path, {"status": lambda: {"pid": 7}}):
        assert path.stat().st_mode & 0o777 == 0o600
        assert await asyncio.to_thread(ask, path, "status") == {"pid": 7}
        assert await asyncio.to_thread(ask, path, "dance") == {"error": "'dance' is not one of status"}


async def test_nobody_is_told_from_somebody_who_does_not_answer(tmp_path: Path) -> None:
    path = tmp_path / "up.sock"
    assert ask(path, "status") is None, "there is no socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert ask(path, "status") is None, "a killed supervisor left it"
    async with Door(path, {"status": dict}):
        assert await asyncio.to_thread(ask, path, "status") == {}, "and the next one replaced it"


async def test_whoever_asks_to_stop_sees_the_end(tmp_path: Path) -> None:
    path = tmp_path / "up.sock"
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> dict[str, int]:
        loop.call_soon(stopping.set)
        return {"pid": 7}

    with pytest.raises(TimeoutError):
        async with Door(path, {"stop": stop}):
            await asyncio.to_thread(ask, path, "stop", 0.05)
    assert stopping.is_set()
