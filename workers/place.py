"""Where a process of a run can be started: its cell, or a sandbox of a tool call's own."""

from collections.abc import Mapping
from typing import Protocol

from workers.sandbox.process import Process
from workers.sandbox.spec import Command, Entry


class Place(Protocol):
    """Where a process can be started."""

    async def start(self, what: Entry | Command, *, fds: Mapping[int, int]) -> Process:
        """Start one. Raises as Sandbox.start does."""
