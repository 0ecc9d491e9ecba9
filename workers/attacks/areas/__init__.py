"""The attacks, one module for each area."""

from workers.attacks.areas import (
    dns,
    egress,
    execution,
    files,
    inference,
    inheritance,
    kernel,
    mounts,
    namespaces,
    network,
    placeholders,
    privileges,
    proc,
    processes,
    requests,
    resources,
    siblings,
    terminal,
    unix,
)
from workers.attacks.attack import Attack

_MODULES = (
    *(network, dns, egress, requests, placeholders, inference, unix),
    *(proc, processes, namespaces, mounts, files, execution, privileges, inheritance),
    *(siblings, terminal, kernel, resources),
)


def everything() -> tuple[Attack, ...]:
    """Give every attack, in the order in which a reader wants to know."""
    return tuple(attack for module in _MODULES for attack in module.ATTACKS)
