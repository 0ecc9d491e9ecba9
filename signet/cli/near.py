"""What was perhaps meant. signet.kit.errors has the same for services, but loads gRPC."""

from collections.abc import Iterable
from difflib import get_close_matches


def near(name: str, names: Iterable[str]) -> str:
    """Suggest what was perhaps meant: " Did you mean `x`?", or nothing."""
    close = get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(f'`{word}`' for word in close)}?" if close else ""
