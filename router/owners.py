"""Whose secrets are: an agent's, a user's, everybody's."""

import re
from collections.abc import Mapping
from typing import TypeVar

from router.authorise import Identity

T = TypeVar("T")

EVERYBODY = ""

_OWNER = re.compile(r"(agents/[a-z]|tokens/[a-z0-9])[a-z0-9-]{0,62}")  # a user is who holds a token


def owners(who: Identity) -> tuple[str, ...]:
    """Give whose secrets one may be lent: first the agent's, then those of the user it works for, then everybody's."""
    return (*filter(None, (who.agent, who.user)), EVERYBODY)


def nearest(who: Identity, found: Mapping[str, T]) -> tuple[str, T] | None:
    """Pick, of what is kept under one name by owner, the one that is lent, with its owner; None where none is."""
    return next(((owner, found[owner]) for owner in owners(who) if owner in found), None)


def trouble(owner: str) -> str:
    """Say what is wrong with an owner's name; empty for nothing."""
    if not owner or _OWNER.fullmatch(owner):
        return ""
    return "must be empty, `agents/{agent}` or `tokens/{token}`"
