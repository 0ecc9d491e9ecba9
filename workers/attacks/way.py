"""The egress sidecar with a resolver that attacks can be lied to by: `names` in the folder of SIGNET_NAMES.

The file is JSON, a name's answers in the order in which they are given; the last one stays. What is asked for is
written to the file `asked`.
"""

import json
import os
from collections import Counter
from pathlib import Path

from workers.sidecars.egress import main as egress

ENTRY = "workers.attacks.way:main"


class Resolver:
    """Answers by the file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._times: Counter[str] = Counter()
        self._names = json.loads((folder / "names").read_text())

    async def lookup(self, host: str) -> list[str]:
        """Give the addresses of a name. Raises OSError."""
        with (self._folder / "asked").open("a") as asked:
            asked.write(host + "\n")
        answers = self._names.get(host) or self._names.get("*." + host.partition(".")[2])
        if not answers:
            raise OSError(f"no such name: {host}")
        answer: list[str] = answers[min(self._times[host], len(answers) - 1)]
        self._times[host] += 1
        return answer


def main() -> None:
    """Run the real one, as a fork of the zygote, with another resolver and nothing else changed."""
    egress.main(Resolver(Path(os.environ["SIGNET_NAMES"])).lookup)
