"""A process to be attacked, in the same sandbox or in another agent's: holds a secret in every way a process can.

It finds the secret in its environment as SECRET and its own name as NAME. One that is called `sibling` leaves the
secret in files, sockets and shared memory, too. It tells {"pid", "address", "descriptor"} on fd 3, and stays until that
is closed.
"""

import ctypes
import json
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from workers.attacks.attempt import CHANNEL, libc, libc_word

BOOT: Final = "import sys; sys.path.insert(0, sys.argv[1]); from workers.attacks.neighbour import main; main()"
PORT: Final = 8642
NEIGHBOUR: Final = "signet-neighbour"
SIBLING: Final = "signet-sibling"
SHARED_KEY: Final = 0x5167E7
_CREATE: Final = 0o1666
_SIZE: Final = 4096


def main() -> None:
    """Hold the secret until the channel ends."""
    secret, name = os.environ["SECRET"].encode(), os.environ["NAME"]
    memory = ctypes.create_string_buffer(secret, 64)
    os.umask(0)
    Path("/tmp", name).write_bytes(secret)  # noqa: S108 - the sandbox's own
    descriptor = os.open(f"/tmp/{name}", os.O_RDONLY)  # noqa: S108 - the same
    if name == SIBLING:
        _leave(secret)
    with socket.socket(fileno=CHANNEL) as channel:
        found = {"pid": os.getpid(), "address": ctypes.addressof(memory), "descriptor": descriptor}
        channel.sendall(json.dumps(found).encode() + b"\n")
        channel.recv(1)


def _leave(secret: bytes) -> None:
    """Leave the secret wherever processes leave things for others."""
    for place in ("/dev/shm", "/workspace"):  # noqa: S108 - the sandbox's own
        Path(place, SIBLING).write_bytes(secret)
    _share(secret)
    for family, address in ((socket.AF_UNIX, "\0" + SIBLING), (socket.AF_UNIX, f"/workspace/{SIBLING}.sock")):
        sock = socket.socket(family)
        sock.bind(address)
        sock.listen()
        _serve(sock, secret)
    _serve(socket.create_server(("127.0.0.1", PORT)), secret)


def _serve(server: socket.socket, secret: bytes) -> None:
    def greet() -> None:
        while True:
            with server.accept()[0] as peer, suppress(OSError):
                peer.sendall(secret)

    threading.Thread(target=greet, daemon=True).start()


def _share(secret: bytes) -> None:
    """Leave the secret in shared memory, which outlives this process but not its namespace."""
    with suppress(OSError):
        segment = libc("shmget", SHARED_KEY, _SIZE, _CREATE)
        ctypes.memmove(libc_word("shmat", segment, 0, 0), secret, len(secret))
