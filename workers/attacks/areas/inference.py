"""The door to models: inference.local, served by a sidecar that holds the run's token."""

import socket
import struct
import time
from typing import Final

from workers.attacks.attack import Attack
from workers.attacks.attempt import PATIENCE_SECONDS, any_of
from workers.attacks.bait import Bait
from workers.attacks.proxied import listen

_ADDRESS: Final = ("127.0.0.2", 80)
_ASK: Final = b"GET /v1/models HTTP/1.1\r\nHost: inference.local\r\n\r\n"


def hang_up(bait: Bait) -> str:
    """Hang up on answers, to end the sidecar by the words that it can no longer say."""
    for number in range(20):
        sock = _reach()
        sock.sendall(_ASK * 50)
        time.sleep(number / 2000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    return _served()


def nonsense(bait: Bait) -> str:
    """Send what is no request, and requests without end."""
    pieces = (b"\0" * 1000, b"\r\n" * 1000, b"GET " + b"/" * 100_000, b"X" * 100_000, _ASK[:-2] + b"X: y\r\n" * 10_000)
    for piece in pieces:
        with _reach() as sock:
            try:
                sock.sendall(piece)
                listen(sock)
            except OSError:
                continue
    return _served()


def other_places(bait: Bait) -> str:
    """Ask the sidecar for what is behind the router's door, by a path, a host or a tunnel."""
    asks = (
        "GET /signet/v1/secrets/lent HTTP/1.1\r\nHost: inference.local\r\n\r\n",
        "POST /v1/../signet/v1/secrets/lent HTTP/1.1\r\nHost: inference.local\r\nContent-Length: 0\r\n\r\n",
        f"CONNECT 127.0.0.1:{bait.port4} HTTP/1.1\r\nHost: inference.local\r\n\r\n",
        f"GET http://127.0.0.1:{bait.port4}/ HTTP/1.1\r\nHost: 127.0.0.1:{bait.port4}\r\n\r\n",
    )
    return any_of(_granted, asks)


def without_run(bait: Bait) -> str:
    """Ask a model when no run is going on."""
    return _granted(_ASK.decode())


def _reach() -> socket.socket:
    sock = socket.create_connection(_ADDRESS, PATIENCE_SECONDS)
    sock.settimeout(PATIENCE_SECONDS)
    return sock


def _granted(ask: str) -> str:
    with _reach() as sock:
        sock.sendall(ask.encode())
        said = listen(sock)
    if not said.startswith("HTTP/1.1 2"):
        raise ConnectionRefusedError(said[:200] or "closed")
    return said


def _served() -> str:
    """Raise that others are served, if they are."""
    with _reach() as sock:
        sock.sendall(_ASK)
        said = listen(sock)
    if said.startswith("HTTP/1.1 "):
        raise OSError(f"others are answered after it: {said[:20]}")
    return "nobody is answered after it"


_NOBODY: Final = "a run that can ask no model any more"

ATTACKS: Final = (
    Attack(hang_up, _NOBODY),
    Attack(nonsense, _NOBODY),
    Attack(other_places, "the secrets and the services behind the door"),
    Attack(without_run, "a model that nobody pays for"),
)
