"""What `presets:` of a document may name, for people."""

from collections.abc import Iterable

_KEY = "description:"


def described(names: Iterable[str]) -> str:
    """Lay out presets with what each is for."""
    from signet.cli.table import columns
    from signet.policy.presets import text

    return columns(("NAME", "WHAT IT LETS THROUGH"), [(name, _description(text(name))) for name in names])


def _description(document: str) -> str:
    lines = (line for line in document.splitlines() if line.startswith(_KEY))
    return next(lines, "").removeprefix(_KEY).strip()
