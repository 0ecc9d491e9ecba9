"""A connection that was let through, for as long as it stays so."""

import asyncio
from dataclasses import dataclass

from signet.policy.decide import Attempt, Decision
from workers.sidecars.egress.target import Target


@dataclass(eq=False, slots=True)
class Passage:
    """`task` serves it, and is cancelled when it is no longer let through.

    `shown` are its programs, for people. `address` is what it is connected to. `looked` tells that its requests are
    read and decided one by one; `request` is the method and target of the one that is going on.
    """

    target: Target
    attempt: Attempt
    shown: str
    decision: Decision
    address: str
    task: "asyncio.Task[None]"
    looked: bool = False
    request: tuple[str, str] | None = None
