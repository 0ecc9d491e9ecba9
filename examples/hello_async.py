"""Ask two questions at once, print the answers as they come, and look at a record. Start a fleet first: `signet up`."""

import asyncio

from signet.client import AsyncSignet


async def ask(signet: AsyncSignet, question: str) -> str:
    """Run the agent once and give the name of the run."""
    async for event in signet.run("assistant", question):
        if event.HasField("finished"):
            print(f"{question} {event.finished.outcome}: {event.finished.output}")
    return event.run


async def main() -> None:
    """Ask, then read what was sealed."""
    async with AsyncSignet() as signet:
        runs = await asyncio.gather(ask(signet, "Say hello"), ask(signet, "Say goodbye"))
        for run in runs:
            record = await signet.runs.record(run)
            print(f"{run}: {len(record.events)} events under the stamp {record.run.stamp.digest[:12]}")


if __name__ == "__main__":
    asyncio.run(main())
