"""A run's identity: five digests, each of a canonical text that is kept, and the digest of those."""

import hashlib
from dataclasses import dataclass

from control import canonical
from signet.v1 import runs_pb2

PARTS = ("soul", "tools", "runtime", "model", "permissions")
"""The five, in the order in which they are digested together."""


@dataclass(frozen=True)
class Sources:
    """The canonical text of each of the five."""

    soul: str
    tools: str
    runtime: str
    model: str
    permissions: str

    def by_digest(self) -> dict[str, str]:
        """Give the texts under their digests."""
        return {canonical.digest(source): source for source in (getattr(self, part) for part in PARTS)}


def take(sources: Sources) -> runs_pb2.Stamp:
    """Take the digests: sha256 of each text, and sha256 of the five in hexadecimal, a line each."""
    digests = {part: canonical.digest(getattr(sources, part)) for part in PARTS}
    lines = "".join(f"{digests[part]}\n" for part in PARTS)
    return runs_pb2.Stamp(digest=hashlib.sha256(lines.encode()).hexdigest(), **digests)
