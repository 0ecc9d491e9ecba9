"""Unix sockets of the host: by path, by abstract name, through links, and with forged papers."""

import array
import os
import socket
import struct
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack
from workers.attacks.attempt import any_of, connect, hear
from workers.attacks.bait import Bait

_DOCKER: Final = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
)
_SYSTEM: Final = (
    *("/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/notify", "/run/systemd/journal/stdout"),
    *("/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket", "/var/run/nscd/socket", "/run/snapd.socket"),
)


def stream(bait: Bait) -> str:
    """Connect to a stream socket of the host by its path."""
    return hear(connect(socket.AF_UNIX, bait.stream), bait.token)


def datagram(bait: Bait) -> str:
    """Send to a datagram socket of the host by its path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        return f"sent {sock.sendto(bait.token.encode(), bait.datagram)} bytes"


def abstract(bait: Bait) -> str:
    """Connect to an abstract stream socket of the host."""
    return hear(connect(socket.AF_UNIX, "\0" + bait.abstract), bait.token)


def abstract_datagram(bait: Bait) -> str:
    """Send to an abstract datagram socket of the host."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        return f"sent {sock.sendto(bait.token.encode(), chr(0) + bait.abstract + '-datagram')} bytes"


def linked(bait: Bait) -> str:
    """Connect to the host's socket through a symbolic link in the workspace."""
    link = Path(f"/workspace/.link-{os.getpid()}")
    link.symlink_to(bait.stream)
    try:
        return hear(connect(socket.AF_UNIX, str(link)), bait.token)
    finally:
        link.unlink()


def through_init(bait: Bait) -> str:
    """Connect to the host's socket through the root of pid 1."""
    return hear(connect(socket.AF_UNIX, f"/proc/1/root{bait.stream}"), bait.token)


def container_daemon(bait: Bait) -> str:
    """Connect to the socket of Docker, Podman or containerd."""
    return any_of(lambda path: f"connected to {connect(socket.AF_UNIX, path).getpeername()!r}", _DOCKER)


def system_daemon(bait: Bait) -> str:
    """Connect to a socket of systemd, D-Bus, the journal or the name cache."""
    return any_of(lambda path: f"connected to {connect(socket.AF_UNIX, path).getpeername()!r}", _SYSTEM)


def forged_credentials(bait: Bait) -> str:
    """Send the credentials of root and pid 1 over a socket."""
    one, other = socket.socketpair()
    with one, other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        papers = struct.pack("3i", 1, 0, 0)
        one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, papers)])
        _, ancillary, _, _ = other.recvmsg(1, 64)
        return f"seen as pid, uid, gid {list(array.array('i', ancillary[0][2]))}"


ATTACKS: Final = (
    Attack(stream, "a daemon of the host", "secret"),
    Attack(datagram, "a daemon of the host", "host"),
    Attack(abstract, "a daemon of the host that has no path", "secret"),
    Attack(abstract_datagram, "a daemon of the host that has no path", "host"),
    Attack(linked, "a daemon of the host", "secret"),
    Attack(through_init, "a daemon of the host", "secret"),
    Attack(container_daemon, "the host, whole: whoever may talk to it is root"),
    Attack(system_daemon, "the host's services"),
    Attack(forged_credentials, "trust by a peer that asks who is there"),
)
