"""The server name of a TLS ClientHello, read without taking part.

The outer name is what counts: a client that encrypts another one (ECH) can do so only to a front that its CONNECT host
runs itself.
"""

from dataclasses import dataclass

_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0
_RECORD, _PREFIX = 5, 4
"""Bytes before the content of a record, and of a handshake message."""
_MOST = 64 * 1024
ALERT = bytes((21, 3, 1, 0, 2, 2, 112))
"""The fatal alert `unrecognized_name`."""


class Damaged(ValueError):
    """It begins as a ClientHello does, and is none."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What it asks for; `name` is empty where it names no server."""

    name: str


def begins(data: bytes) -> bool:
    """Tell whether a client that sent this first speaks TLS."""
    return data[:1] == bytes((_HANDSHAKE,))


def read(data: bytes) -> Hello | None:
    """Read a ClientHello; None where more bytes are needed. Raises Damaged."""
    message = bytearray()
    while len(message) < _PREFIX or len(message) < _PREFIX + int.from_bytes(message[1:_PREFIX]):
        if len(data) >= _RECORD and (data[0] != _HANDSHAKE or data[1] != 3):  # noqa: PLR2004 - TLS's first version byte
            raise Damaged("no handshake record")
        size = int.from_bytes(data[3:5])
        if len(message) + size > _MOST or (len(data) >= _RECORD and not size):
            raise Damaged("too long")
        if len(data) < _RECORD + size or len(data) < _RECORD:
            return None
        message += data[_RECORD : _RECORD + size]
        data = data[_RECORD + size :]
        if message[0] != _CLIENT_HELLO:
            raise Damaged("no ClientHello")
    return _parse(bytes(message[_PREFIX : _PREFIX + int.from_bytes(message[1:_PREFIX])]))


def _parse(body: bytes) -> Hello:
    try:
        rest = body[34:]  # version and random
        for width in (1, 2, 1):  # session, cipher suites, compressions
            _, rest = _vector(rest, width)
        extensions, rest = _vector(rest, 2) if rest else (b"", b"")
        names = []
        while extensions:
            kind = int.from_bytes(extensions[:2])
            content, extensions = _vector(extensions[2:], 2)
            if kind == _SERVER_NAME:
                names.append(_name(content))
    except IndexError as error:
        raise Damaged("a ClientHello that ends too early") from error
    if len(names) > 1 or rest:
        raise Damaged("a ClientHello that can be read in two ways")
    return Hello(names[0] if names else "")


def _name(content: bytes) -> str:
    entries, rest = _vector(content, 2)
    if rest or entries[0] != _HOST_NAME:
        raise Damaged("a server name of an unknown kind")
    name, more = _vector(entries[1:], 2)
    if more or not name.isascii() or not name:
        raise Damaged("a server name that is none")
    return name.decode("ascii")


def _vector(data: bytes, width: int) -> tuple[bytes, bytes]:
    """Take what is preceded by its length."""
    size = int.from_bytes(data[:width])
    if len(data) < width + size:
        raise IndexError
    return data[width : width + size], data[width + size :]
