"""Reading files as text without trusting their size or kind."""

import os
import stat
from pathlib import Path

from workers.tools.call import ToolError
from workers.tools.paths import failed, missing, shown

SNIFF_BYTES = 8192
EDIT_BYTES = 8 * 1024 * 1024
"""Largest file that is edited or searched whole."""


def opened(path: Path) -> int:
    """Open a regular file for reading, never waiting on a pipe or a device. Raises ToolError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError as error:
        raise missing(path) from error
    except OSError as error:
        raise failed("read", path, error) from error
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise ToolError(f"{shown(path)} is a folder. list_files shows what is in it.")
    raise ToolError(f"{shown(path)} is not a regular file.")


def is_binary(head: bytes) -> bool:
    """Whether the first bytes of a file are no text: a zero byte, or many control characters."""
    if b"\0" in head:
        return True
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\b\x1b" for byte in head)  # noqa: PLR2004 - below are control characters
    return controls * 10 > len(head)


def whole(path: Path) -> bytes:
    """Read a whole text file of at most EDIT_BYTES. Raises ToolError for a larger or binary one."""
    with os.fdopen(opened(path), "rb") as file:
        content = file.read(EDIT_BYTES + 1)
    if len(content) > EDIT_BYTES:
        raise ToolError(f"{shown(path)} is larger than {EDIT_BYTES >> 20} MiB. Use exec with sed or a script.")
    if is_binary(content[:SNIFF_BYTES]):
        raise ToolError(f"{shown(path)} is a binary file.")
    return content


def clipped(line: str, chars: int) -> str:
    """Cut a line to so many characters and say so."""
    return line if len(line) <= chars else f"{line[:chars]} … [{len(line) - chars} more characters]"
