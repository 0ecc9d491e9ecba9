"""A clean restart: the same process goes on, with what it was given and nothing else."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from signet.kit.log import get
from workers.restart import VARIABLE, Restart, carried

ROOT = Path(__file__).parents[3]


def test_state_and_descriptors_pass_to_the_same_pid_and_are_nobody_elses_afterwards() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fakes.again", "a word", "--flag"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "through True True False False None True -1"


def test_a_variable_that_somebody_left_is_no_state() -> None:
    with (ROOT / "pyproject.toml").open() as other:
        for wrong in ("x", "9999", str(other.fileno())):
            os.environ[VARIABLE] = wrong
            assert carried() is None
            assert VARIABLE not in os.environ


async def test_a_hangup_waits_until_it_is_quiet_and_then_ends_for_a_restart() -> None:
    stop, quiet = asyncio.Event(), asyncio.Event()
    restart = Restart(stop, get("test"))

    async with restart.listening():
        running = asyncio.create_task(restart.run(quiet.wait, 60))
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        assert not restart.ending.is_set()
        quiet.set()
        await running
    assert restart.ending.is_set()
    assert restart.due
    os.kill(os.getpid(), signal.SIGHUP)  # while it ends, which is no reason to die


async def test_what_does_not_become_quiet_is_not_waited_for_without_end() -> None:
    restart = Restart(asyncio.Event(), get("test"))
    restart.ask()
    await restart.run(asyncio.Event().wait, 0.01)
    assert restart.due


async def test_a_stop_counts_for_more_than_a_restart() -> None:
    stop = asyncio.Event()
    restart = Restart(stop, get("test"))
    async with restart.listening():
        restart.ask()
        running = asyncio.create_task(restart.run(asyncio.Event().wait, 60))
        stop.set()
        await restart.ending.wait()
        running.cancel()
    assert not restart.due
