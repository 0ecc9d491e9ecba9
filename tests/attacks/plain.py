"""Makes attacks in plain child processes, without any sandbox: `python -I plain.py ROOT FOLDER ID…`.

Prints {id: [state, detail]}. So it is seen that an attack which is held inside would win without walls.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECONDS = 20.0


def start(boot: str, root: str, env: Mapping[str, str]) -> socket.socket:
    """Start a program of the suite on a channel."""
    ours, theirs = socket.socketpair()
    placing = f"import os; os.dup2({theirs.fileno()}, 3); os.close({theirs.fileno()}); {boot}"
    argv = [sys.executable, "-I", "-S", "-c", placing, root]
    with theirs:
        subprocess.Popen(argv, pass_fds=[theirs.fileno()], env={**os.environ, **env}, start_new_session=True)
    ours.setblocking(False)
    return ours


async def hear(channel: socket.socket) -> dict[str, Any]:
    """Read an answer."""
    said = b""
    async with asyncio.timeout(SECONDS):
        while not said.endswith(b"\n"):
            piece = await asyncio.get_running_loop().sock_recv(channel, 1 << 16)
            assert piece, "the attacker is gone"
            said += piece
    return dict(json.loads(said))


async def main(root: str, folder: str, *names: str) -> None:
    """Make the attacks and print the verdicts."""
    from workers.attacks import intruder, neighbour
    from workers.attacks.areas import everything
    from workers.attacks.results import verdict
    from workers.attacks.runner import seen
    from workers.attacks.trap import Trap

    attacks = {attack.name: attack for attack in everything()}
    states = {}
    with Trap.planted(Path(folder) / "host", os.geteuid()) as trap:
        env = {"SECRET": trap.secret("another process"), "NAME": neighbour.NEIGHBOUR}
        beside = start(neighbour.BOOT, root, env)
        found = await hear(beside)
        places = {"neighbour": found["pid"], "neighbour_address": found["address"]}
        channel = start(intruder.BOOT, root, {})
        for name in names:
            trap.effects()
            bait = trap.bait(**places, neighbour_descriptor=found["descriptor"])
            job = {"attack": name, "seconds": attacks[name].seconds, "bait": bait.to_wire()}
            await asyncio.get_running_loop().sock_sendall(channel, json.dumps(job).encode() + b"\n")
            said = await hear(channel)
            states[name] = verdict(attacks[name], said, trap.secrets, await seen(trap, attacks[name], said), "")
        channel.close()
        beside.close()
    sys.stdout.write(json.dumps(states) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    asyncio.run(main(*sys.argv[1:]))
