"""Messages with file descriptors over SOCK_SEQPACKET: one JSON object a packet, blocking, for the processes inside."""

import array
import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

# The kernel's own bound for one argument of a program; below the default socket buffer, so that a packet always fits.
MESSAGE_BYTES = 128 * 1024
FDS = 32


class WireError(Exception):
    """The other side sent what is no message of ours."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Make two connected ends, close-on-exec."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def encode(message: Mapping[str, Any]) -> bytes:
    """Make the packet of a message; ValueError if it is over MESSAGE_BYTES."""
    packet = json.dumps(message, separators=(",", ":")).encode()
    if len(packet) > MESSAGE_BYTES:
        raise ValueError(
            f"the message has {len(packet)} bytes; {MESSAGE_BYTES} is the most. Pass large data by file or pipe."
        )
    return packet


def send(sock: socket.socket, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
    """Send one message. The fds stay open here; the other side gets copies."""
    send_packet(sock, encode(message), fds)


def send_packet(sock: socket.socket, packet: bytes, fds: Sequence[int]) -> None:
    """Send one encoded message; BlockingIOError if the socket is non-blocking and full."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([packet], rights, socket.MSG_NOSIGNAL)


def receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Take the next message and its fds (close-on-exec, the caller's to close); None when the other side is gone."""
    try:
        packet, ancillary, flags, _ = sock.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(4 * FDS), socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None
    fds = _rights(ancillary)
    if not packet:
        return None
    try:
        return _decode(packet, flags), fds
    except ValueError as error:
        for fd in fds:
            os.close(fd)
        raise WireError(str(error)) from error


def _decode(packet: bytes, flags: int) -> dict[str, Any]:
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        raise ValueError("a message was cut short.")
    message = json.loads(packet)
    if not isinstance(message, dict):
        raise ValueError("a message was no object.")  # noqa: TRY004 - nonsense from outside, not a wrong call
    return message


def _rights(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return fds.tolist()
