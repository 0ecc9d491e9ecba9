"""A worker that opens sandboxes and becomes another program by exec, which adopts them.

    python -I successor.py ROOT FOLDER
    python -I successor.py ROOT FOLDER HANDOVER

Prints a line of JSON before the exec and one after it.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any


def say(**found: Any) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


async def first(folder: str) -> None:
    """Open two sandboxes, leave something running in one and a sidecar beside them, and exec."""
    from tests.integration.sandbox.house import INSIDE, begin, run
    from workers.sandbox.launcher import Launcher
    from workers.sandbox.spec import Limits, Spec

    launcher = await Launcher.start((INSIDE,))
    sandboxes = []
    for number in (1, 2):
        listeners = {"inference": ("127.0.0.2", 80), "egress": ("127.0.0.1", 3128)}
        spec = Spec(f"box-{number}", Path(folder, f"w{number}"), 200_000 + number, listeners, limits=Limits(cpu=1.0))
        sandboxes.append(await launcher.open(spec))
    await run(sandboxes[0], "echo kept > /tmp/a")
    _, output = await begin(sandboxes[0], "sleep 1000 & echo up; wait")
    await output.readline()
    sidecar = await launcher.sidecar(f"{INSIDE}:endless")
    handover = await launcher.handover()
    say(
        zygote=launcher.pid,
        boxes=[sandbox.pid for sandbox in sandboxes],
        code=sidecar.code,
        left=list(launcher.sandboxes),
        fds=len(handover.fds),
    )
    for fd in handover.fds:
        os.set_inheritable(fd, True)
    os.execv(sys.executable, [sys.executable, "-I", *sys.argv, json.dumps([handover.state, handover.fds])])  # noqa: S606


async def second(folder: str, handed: str) -> None:
    """Adopt the sandboxes and use them as the first would have."""
    from tests.integration.sandbox.house import ask, children, run
    from workers.sandbox.handover import Handover
    from workers.sandbox.launcher import Launcher
    from workers.sandbox.spec import Spec

    state, fds = json.loads(handed)
    for fd in fds:
        os.set_inheritable(fd, False)
    if "other version" in folder:
        state["version"] = "other"
    launcher = Launcher.adopt(Handover(state, fds))
    one, two = (launcher.sandboxes[name] for name in ("box-1", "box-2"))
    found: dict[str, Any] = {
        "zygote": launcher.pid,
        "boxes": [one.pid, two.pid],
        "running": one.usage().processes,
        "layers": [layer.state for layer in one.report.layers],
        "listeners": sorted(one.listeners),
    }
    await one.clear()
    found["cleared"] = one.usage().processes
    found["kept"] = await run(one, "cat /tmp/a")
    server = await asyncio.start_server(_answer, sock=one.listeners["inference"])
    found["converse"] = await ask(one, "converse")
    server.close()
    async with await launcher.open(Spec("box-3", Path(folder, "w3"), 200_003)) as third:
        found["third"] = await run(third, "hostname")
    await two.aclose()
    found["two"] = two.ended
    found["one"] = one.ended
    await launcher.aclose()
    found["end"] = one.ended
    found["groups"] = [path.name for path in _groups(state)]
    found["children"] = children(os.getpid())
    say(**found)


def _groups(state: dict[str, Any]) -> list[Path]:
    folders = [Path(path) for box in state["sandboxes"] if box["group"] for path in box["group"]["folders"].values()]
    return [folder for folder in folders if folder.exists()]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"you said: " + await reader.read())
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    asyncio.run(first(sys.argv[2]) if len(sys.argv) == 3 else second(*sys.argv[2:]))
