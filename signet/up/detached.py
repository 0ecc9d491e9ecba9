"""`signet up --detach`: the supervisor in a session of its own, and its word that everything is ready."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from signet.kit.home import Home
from signet.up.journal import LIMIT_BYTES
from signet.up.notices import Notice
from signet.up.plan import DOORS, Choices

_READY_SECONDS = 120.0
_LOOK_SECONDS = 0.1


def detached(home: Home, choices: Choices, say: Callable[[str], None]) -> int:
    """Start it, show what it says until it is ready, and leave it. Gives the exit code: 1 where it is not ready."""
    log = home.logs / "up.log"
    if log.exists() and log.stat().st_size > LIMIT_BYTES:
        log.replace(log.with_name("up.log.1"))
    place = home.socket("notify-up.sock")
    place.unlink(missing_ok=True)
    with log.open("ab") as output, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        shown = output.tell()
        listener.bind(str(place))
        try:
            process = subprocess.Popen(
                _argv(home, choices),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | {"NOTIFY_SOCKET": str(place), "SIGNET_PARENT": ""},
                start_new_session=True,
            )
            return _wait(process, listener, log, shown, say)
        finally:
            place.unlink(missing_ok=True)


def _wait(
    process: subprocess.Popen[bytes], listener: socket.socket, log: Path, shown: int, say: Callable[[str], None]
) -> int:
    deadline = time.monotonic() + _READY_SECONDS
    listener.settimeout(_LOOK_SECONDS)
    notice = Notice()
    while time.monotonic() < deadline and process.poll() is None and not (notice.ready or notice.failed):
        try:
            notice = Notice.parse(listener.recv(4096))
        except TimeoutError:
            notice = Notice()
        shown = _relay(log, shown, say)
    _relay(log, shown, say)
    if notice.ready:
        say("Stop it with `signet down`; a link for the browser: `signet sign-in`.")
        return 0
    say(notice.status or f"not ready: see {log}")
    return 1


def _relay(log: Path, shown: int, say: Callable[[str], None]) -> int:
    """Say what the log has got since."""
    with log.open("rb") as file:
        file.seek(shown)
        fresh = file.read()
    whole = fresh[: fresh.rfind(b"\n") + 1]
    if whole:
        say(whole.decode(errors="replace").rstrip("\n"))
    return shown + len(whole)


def _argv(home: Home, choices: Choices) -> list[str]:
    argv = [sys.executable, "-m", "signet.cli", "up", "--data", str(home.root), "--background"]
    for door in DOORS:
        if door.name in choices.ports:
            argv += [door.flag, str(choices.ports[door.name])]
    return argv if choices.embedded else [*argv, "--no-embedded"]
