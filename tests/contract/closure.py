"""What pip installs for a requirement, from what the installed distributions say of themselves."""

from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def installed(requirement: Requirement, known: set[str]) -> set[str]:
    """Give what pip installs for a requirement: its own distribution, and all below it."""
    name = canonicalize_name(requirement.name)
    mark = f"{name}[{','.join(sorted(requirement.extras))}]"
    if mark in known:
        return known
    known |= {mark, name}
    for line in distribution(name).requires or ():
        below = Requirement(line)
        if below.marker is None or any(below.marker.evaluate({"extra": extra}) for extra in {"", *requirement.extras}):
            known = installed(below, known)
    return known
