"""Reading a tar as a stream: POSIX (ustar, pax) and GNU's long names; whatever is cut short, broken or odd is an error.

Standard library only, for it runs inside a sandbox. Python's own reader takes a broken header for the archive's end.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

BLOCK = 512
BINARY = 0x80
CHUNK_BYTES = 256 * 1024
EXTENDED_BYTES = 1024 * 1024
"""Most bytes of one header that extends another: long names, pax records."""

Kind = Literal["file", "folder", "link", "hard"]
_KINDS: Mapping[bytes, Kind] = {b"0": "file", b"\0": "file", b"7": "file", b"1": "hard", b"2": "link", b"5": "folder"}
_REFUSED = {b"3": "a device", b"4": "a device", b"6": "a pipe", b"S": "a sparse file"}
_LONG = {b"L": "path", b"K": "linkpath"}


class ArchiveError(Exception):
    """The archive cannot be taken, or not be made. The message is for people."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive; `target` is where a link leads. `mode` has the nine permission bits only."""

    name: str
    kind: Kind
    size: int
    mode: int
    mtime: int
    target: str


class Reader:
    """An archive that comes on a descriptor. `data` may be read between two entries; what is not read is skipped."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._left = 0  # of the entry's data, padding included
        self._pad = 0

    def entries(self) -> Iterator[Entry]:
        """Give each entry up to the archive's end mark. Raises ArchiveError."""
        extended: dict[str, str] = {}
        while (block := self._header()) is not None:
            kind, size = block[156:157], _number(block[124:136])
            if kind in b"xgLK":
                body = self._body(size)
                if kind == b"x":
                    extended |= _records(body)
                elif kind in _LONG:
                    extended[_LONG[kind]] = _text(body)
                continue
            yield self._entry(block, kind, size, extended)
            extended = {}
            for _ in self.data():
                continue
            self._exactly(self._pad)

    def data(self) -> Iterator[bytes]:
        """Give the data of the entry that came last, in pieces."""
        while self._left:
            chunk = self._some(min(self._left, CHUNK_BYTES))
            self._left -= len(chunk)
            yield chunk

    def _entry(self, block: bytes, kind: bytes, size: int, extended: Mapping[str, str]) -> Entry:
        name = extended.get("path") or _name(block)
        if kind in _REFUSED or any(key.startswith("GNU.sparse") for key in extended):
            raise ArchiveError(
                f"{name!r} is {_REFUSED.get(kind, 'a sparse file')}: only files, folders and links are taken"
            )
        if kind not in _KINDS:
            raise ArchiveError(f"{name!r} is of the unknown type {kind!r}")
        what = _KINDS[kind]
        if what == "file" and name.endswith("/"):  # as tars from before POSIX wrote folders
            what = "folder"
        if "size" in extended:
            size = _decimal(extended["size"])
        self._left = size if what == "file" else 0
        self._pad = -self._left % BLOCK
        target = extended.get("linkpath") or _text(block[157:257])
        mtime = _decimal(extended["mtime"].partition(".")[0]) if "mtime" in extended else _number(block[136:148])
        return Entry(name, what, self._left, _number(block[100:108]) & 0o777, mtime, target)

    def _header(self) -> bytes | None:
        """Give the next header, None at the end mark. Raises ArchiveError where the archive ends without one."""
        block = self._exactly(BLOCK)
        if not any(block):
            return None
        summed = sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")
        if _number(block[148:156]) != summed:
            raise ArchiveError("it is no tar, or it is damaged")
        return block

    def _body(self, size: int) -> bytes:
        if size > EXTENDED_BYTES:
            raise ArchiveError(f"a header of {size} bytes; {EXTENDED_BYTES} is the most")
        return self._exactly(size + -size % BLOCK)[:size]

    def _exactly(self, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            found += self._some(count - len(found))
        return bytes(found)

    def _some(self, count: int) -> bytes:
        chunk = os.read(self._fd, count)
        if not chunk:
            raise ArchiveError("it ends too early")
        return chunk


def _number(field: bytes) -> int:
    """Read a number of a header: octal, or binary behind a byte of 0x80 where it is too large for that."""
    if field[0] == BINARY:
        return int.from_bytes(field[1:], "big")
    text = field.partition(b"\0")[0].strip()
    try:
        value = int(text, 8) if text else 0
    except ValueError:
        raise ArchiveError("it is no tar, or it is damaged") from None
    if value < 0:
        raise ArchiveError("it has a number below zero")
    return value


def _decimal(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004 - digits that fit 64 bits
        raise ArchiveError(f"{text[:40]!r} is no number")
    return int(text)


def _text(field: bytes) -> str:
    return os.fsdecode(field.partition(b"\0")[0])


def _name(block: bytes) -> str:
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _records(body: bytes) -> dict[str, str]:
    """Read pax records: a length, a blank, KEY=VALUE, a line feed; the length counts all of it."""
    found = {}
    while body.rstrip(b"\0"):
        digits, _, _ = body.partition(b" ")
        length = _decimal(digits.decode("ascii", "replace"))
        key, equals, value = body[len(digits) + 1 : length].partition(b"=")
        if length <= len(digits) or length > len(body) or not equals or not value.endswith(b"\n"):
            raise ArchiveError("it has a broken header")
        found[key.decode("utf-8", "replace")] = os.fsdecode(value[:-1])
        body = body[length:]
    return found


def write(fd: int, data: bytes) -> None:
    """Write all of it."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
