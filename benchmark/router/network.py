"""A network of its own for a measurement: loopback and nothing else, so that no peer can be reached or reach out."""

import fcntl
import socket
import struct
import subprocess

_PREFIXES = (("unshare", "--net"), ("unshare", "--user", "--map-root-user", "--net"))
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def prefix() -> tuple[str, ...]:
    """Give the words that start a command in such a network; none where this user may not make one."""
    for words in _PREFIXES:
        try:
            if subprocess.run([*words, "true"], capture_output=True, timeout=10, check=False).returncode == 0:
                return words
        except (OSError, subprocess.TimeoutExpired):
            continue
    return ()


def raise_loopback() -> None:
    """Bring loopback up in a new network. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
