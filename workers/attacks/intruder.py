"""The process inside that attacks: takes jobs on fd 3 as JSON lines, tries each in a fork, and says what came of it.

As a program it is started with this checkout's `workers/attacks` and `workers/sandbox` shown read-only; as an entry it
is a fork of the sandbox's pid 1. A job is {"attack", "seconds", "bait"}, an answer {"outcome", "detail"}; the outcomes
are `got` (the attack returned), `refused` (OSError), `missing` (does not apply), `late` (no end in its time), `killed`
(by a signal) and `broken` (any other exception: the attack itself is at fault).
"""

import json
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from workers.attacks.areas import everything
from workers.attacks.attack import Missing
from workers.attacks.attempt import CHANNEL
from workers.attacks.bait import Bait

BOOT: Final = "import sys; sys.path.insert(0, sys.argv[1]); from workers.attacks.intruder import main; main()"
_PIECE: Final = 65536
# What a signal that is no wall's doing does to an attack: the attack is at fault.
_FAULTS: Final = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGABRT, signal.SIGFPE}


def main() -> None:
    """Serve jobs until the channel ends."""
    attacks = {attack.name: attack.do for attack in everything()}
    with socket.socket(fileno=CHANNEL) as channel, channel.makefile("rb") as lines:
        for line in lines:
            job = json.loads(line)
            answer = attempt(attacks[job["attack"]], Bait.from_wire(job["bait"]), job["seconds"])
            channel.sendall(json.dumps(answer).encode() + b"\n")


def attempt(do: Callable[[Bait], str], bait: Bait, seconds: float) -> dict[str, str]:
    """Try one attack in a process group of its own, and end that."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _assail(do, bait, writer)
    os.close(writer)
    with suppress(OSError):
        os.setpgid(child, child)
    said = _listen(reader, seconds)
    os.close(reader)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _reap()
    return _judge(said, code, seconds)


def _assail(do: Callable[[Bait], str], bait: Bait, writer: int) -> None:
    """Be the child."""
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
            os.close(CHANNEL)
        os.write(writer, json.dumps(_outcome(do, bait)).encode() + b"\n")
    finally:
        os._exit(0)


def _outcome(do: Callable[[Bait], str], bait: Bait) -> dict[str, str]:
    try:
        return {"outcome": "got", "detail": do(bait)[:_PIECE]}
    except Missing as why:
        return {"outcome": "missing", "detail": str(why)}
    except OSError as error:
        return {"outcome": "refused", "detail": f"{type(error).__name__}: {error}"[:500]}
    except Exception:  # noqa: BLE001 - whatever is wrong with the attack has to be told
        return {"outcome": "broken", "detail": traceback.format_exc()[-1500:]}


def _listen(reader: int, seconds: float) -> bytes | None:
    """Give what the child said, b"" if it ended without a word, None if it did neither in time."""
    said = b""
    end = time.monotonic() + seconds
    while not said.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            return None
        piece = os.read(reader, _PIECE)
        if not piece:
            return b""
        said += piece
    return said


def _judge(said: bytes | None, code: int, seconds: float) -> dict[str, Any]:
    if said is None:
        return {"outcome": "late", "detail": f"no end in {seconds:g} s"}
    if said:
        return dict(json.loads(said))
    name = signal.Signals(-code).name if code < 0 else f"code {code}"
    fault = code >= 0 or -code in _FAULTS
    return {"outcome": "broken" if fault else "killed", "detail": f"ended by {name}"}


def _reap() -> None:
    """Collect what the attack left to this process."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
