"""`python -m tests.fakes.provider --port 0`: prints its base address on one line, serves until its input ends."""

import argparse
import asyncio
import sys
from pathlib import Path

from tests.fakes.provider.server import FakeProvider


async def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0: any free one")
    parser.add_argument("--socket", type=Path, help="unix socket instead")
    parser.add_argument("--key", default="", help="key that calls need")
    parser.add_argument("--model", action="append", help="a model to list; may be repeated")
    options = parser.parse_args()
    models = tuple(options.model or FakeProvider.models)
    fake = FakeProvider(models=models, key=options.key, socket=options.socket, port=options.port)
    async with fake:
        sys.stdout.write(f"{options.socket or fake.base_url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.buffer.read)
        fake.replies.clear()


if __name__ == "__main__":
    asyncio.run(main())
