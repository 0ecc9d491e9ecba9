"""A worker that opens a sandbox, starts what does not end by itself, says who lives, and waits to be killed."""

import asyncio
import json
import sys
from pathlib import Path


async def main(folder: str) -> None:
    """Print the host's pids of everything below this process."""
    from tests.integration.sandbox.house import INSIDE, House, begin, children

    async with House.standing(Path(folder)) as house:
        sandbox = await house.open()
        sidecar = await house.launcher.sidecar(f"{INSIDE}:endless")
        _, output = await begin(sandbox, "setsid sleep 1000 & echo up; wait")
        await output.readline()
        pids = {
            "zygote": house.launcher.pid,
            "sandbox": sandbox.pid,
            "inside": children(sandbox.pid)[0],
            "sidecar": sidecar.pid,
        }
        sys.stdout.write(json.dumps(pids) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    asyncio.run(main(sys.argv[2]))
