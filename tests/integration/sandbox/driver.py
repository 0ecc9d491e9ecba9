"""Runs one test function in a house of its own: `python -I driver.py ROOT MODULE FUNCTION FOLDER`.

So the same test holds for an ordinary user, whose Python may have no pytest.
"""

import asyncio
import importlib
import sys
from pathlib import Path


async def main(module: str, function: str, folder: str) -> None:
    """Call the test; its exception, if any, is printed by Python."""
    from tests.integration.sandbox.house import House

    async with House.standing(Path(folder)) as house:
        await getattr(importlib.import_module(module), function)(house)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    asyncio.run(main(*sys.argv[2:]))
