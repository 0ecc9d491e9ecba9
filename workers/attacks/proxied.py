"""What attacks on the way out have in common: words with the proxy, tunnels through it, and TLS within them."""

import contextlib
import os
import select
import socket
from typing import TYPE_CHECKING, Final

from workers.attacks.attempt import PATIENCE_SECONDS
from workers.attacks.bait import Bait

if TYPE_CHECKING:
    from ssl import SSLSocket

TRUSTED: Final = "/etc/signet/ca.pem"
ANSWER_SECONDS: Final = 2.0
_SILENCE_SECONDS: Final = 0.1
_PIECE: Final = 1 << 16
_MOST: Final = 1 << 20


def reach(bait: Bait) -> socket.socket:
    """Connect to the proxy."""
    if bait.proxy is None:
        raise OSError("there is no way out at all")
    sock = socket.create_connection(bait.proxy, PATIENCE_SECONDS)
    sock.settimeout(ANSWER_SECONDS)
    return sock


def talk(bait: Bait, *pieces: bytes | str) -> str:
    """Send pieces to the proxy as they are, and give all that comes back."""
    with reach(bait) as sock:
        for piece in pieces:
            sock.sendall(piece.encode("latin-1") if isinstance(piece, str) else piece)
        return listen(sock)


def listen(sock: "socket.socket | SSLSocket") -> str:
    """Give what comes until the end, a short silence after the first words, or 1 MiB."""
    said = b""
    wait = ANSWER_SECONDS
    with contextlib.suppress(TimeoutError, ConnectionError):
        while len(said) < _MOST and (_pending(sock) or select.select([sock], [], [], wait)[0]):
            piece = sock.recv(_PIECE)
            if not piece:
                break
            said += piece
            wait = _SILENCE_SECONDS
    return said.decode("latin-1")


def _pending(sock: "socket.socket | SSLSocket") -> bool:
    """Tell whether TLS has words that were received already."""
    return bool(getattr(sock, "pending", int)())


def tunnel(bait: Bait, host: str, port: int, more: str = "", early: bytes = b"") -> socket.socket:
    """Have the proxy open a tunnel; OSError with what it says instead."""
    sock = reach(bait)
    try:
        sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{more}\r\n".encode("latin-1") + early)
        said = sock.recv(_PIECE).decode("latin-1")
        granted(said)
    except BaseException:
        sock.close()
        raise
    return sock


def granted(said: str) -> None:
    """Raise what the proxy says, if it is not that there is a tunnel now."""
    if " 200 " not in said.partition("\r\n")[0]:
        raise ConnectionRefusedError(said[:300] or "closed")


def through(bait: Bait, host: str, port: int) -> str:
    """Open a tunnel and ask whoever is at its end."""
    with tunnel(bait, host, port) as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode("latin-1"))
        return listen(sock)


def secured(bait: Bait, host: str, port: int, name: str = "", *, careful: bool = True) -> "SSLSocket":
    """Open a tunnel and speak TLS in it, naming the host or another one."""
    import ssl

    context = ssl.create_default_context(cafile=TRUSTED)
    if not careful:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(tunnel(bait, host, port), server_hostname=name or host)


def get(host: str, port: int, path: str, *headers: str, method: str = "GET", form: str = "absolute") -> str:
    """Write a request, with the target in a proxy's form or in a site's own."""
    target = f"http://{host}:{port}{path}" if form == "absolute" else path
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}:{port}", *headers, "", ""]
    return "\r\n".join(lines)


def placeholder() -> str:
    """Give the text that stands for the lent secret."""
    return os.environ["TOKEN"]
