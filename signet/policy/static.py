"""What of a policy stands from a sandbox's start to its end."""

import hashlib

from signet.policy.canonical import values, write
from signet.policy.model import Policy

STATIC = ("tier", "landlock", "filesystem", "process", "resources")
"""Keys whose change needs a new sandbox; all others take effect on open ones."""


def static_digest(policy: Policy) -> str:
    """Give the sha256 of the static part, hexadecimal: sandboxes of the same one can be used for one another."""
    whole = values(policy)
    return hashlib.sha256(write({key: whole[key] for key in STATIC}).encode()).hexdigest()
