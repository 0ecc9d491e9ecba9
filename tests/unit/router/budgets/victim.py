"""A process that reserves and settles without end, says so line by line, and is killed."""

import asyncio
import os
import random
import sys
from pathlib import Path

from router.budgets.metering import metering
from router.refusal import Refusal
from signet.kit.log import Log
from signet.kit.names import uuid7
from tests.unit.router.budgets.desk import PROVIDER, most, row, who

_CALLERS = 32


def say(*words: str) -> None:
    """Write a line at once, and whole."""
    os.write(1, (" ".join(words) + "\n").encode())


async def main(path: Path) -> None:
    """Never end."""
    async with metering(path, Log("victim")) as meter:

        async def caller(chance: random.Random) -> None:
            while True:
                try:
                    reservation = await meter.reserve(who(), PROVIDER, most(100), uuid7())
                except Refusal:
                    await asyncio.sleep(0.001)
                    continue
                say("reserved", reservation.call)
                async with reservation:
                    await asyncio.sleep(chance.random() / 500)
                    cost = chance.randrange(60)
                    await reservation.settle(row(reservation, cost))
                say("settled", reservation.call, str(cost))

        await asyncio.gather(*(caller(random.Random(seed)) for seed in range(_CALLERS)))  # noqa: S311 - no secret


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
