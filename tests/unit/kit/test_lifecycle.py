"""Signals, readiness and parents, with real processes."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, os, sys
from signet.kit.lifecycle import StartError, notify, run_until_signalled

async def main(stop):
    if "refuse" in sys.argv:
        raise StartError("the port is taken")
    notify("READY=1", "here")
    await stop.wait()
    if "linger" in sys.argv:
        notify("LINGERING=1")
        await asyncio.sleep(60)
    return 7

sys.exit(run_until_signalled(main))
"""


def start(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(folder / "notify"))
    listener.settimeout(30)
    environment = os.environ | {"NOTIFY_SOCKET": str(folder / "notify")}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], env=environment), listener


def test_ready_is_said_and_the_first_signal_drains(tmp_path: Path) -> None:
    process, listener = start(tmp_path)
    with listener, process:
        assert listener.recv(1024).decode().splitlines() == ["READY=1", f"MAINPID={process.pid}", "STATUS=here"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 7


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    process, listener = start(tmp_path, "linger")
    with listener, process:
        listener.recv(1024)
        process.send_signal(signal.SIGTERM)
        while b"LINGERING" not in listener.recv(1024):
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT


def test_a_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    process, listener = start(tmp_path, "refuse")
    with listener, process:
        assert b"STATUS=the port is taken" in listener.recv(1024)
        assert process.wait(30) == 1
