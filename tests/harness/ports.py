"""Ports for what tests start."""

import random
import socket

BELOW = range(12_000, 32_000)
"""No system gives these to those who ask for any port, or to connections that go out: nobody takes one meanwhile."""


def free_port() -> int:
    """Give a port of loopback that nobody listens on now."""
    while True:
        port = random.choice(BELOW)  # noqa: S311 - a place, no secret
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
