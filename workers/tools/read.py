"""read_file: lines of a text file."""

import os
from typing import BinaryIO

from workers.tools.call import Call, Result, ToolError
from workers.tools.paths import resolve, shown
from workers.tools.text import SNIFF_BYTES, is_binary, opened

LINES = 1000
"""Lines returned where the call names no limit."""
LINE_BYTES = 4000
"""Bytes shown of one line; the rest is skipped without being held."""
SKIP_BYTES = 1 << 16


def read_file(call: Call) -> Result:
    """Return lines from `offset` (from 1), at most `limit`, and say where they stop."""
    path = resolve(call.text("path"))
    offset = call.whole("offset", 1, 1, 1 << 40)
    limit = call.whole("limit", LINES, 1, 100_000)
    with os.fdopen(opened(path), "rb") as file:
        head = file.read(SNIFF_BYTES)
        size = os.fstat(file.fileno()).st_size
        if is_binary(head):
            raise ToolError(
                f"{shown(path)} is a binary file of {size} bytes. Use exec, for example `file` or `xxd | head`."
            )
        if not head:
            return Result(f"{shown(path)} is empty.")
        file.seek(0)
        for number in range(1, offset):
            if line(file, 0) is None:
                raise ToolError(f"{shown(path)} has {number - 1} lines; `offset` {offset} is behind its end.")
        text, count, more = page(file, limit, call.limits.output_bytes)
    if not count:
        raise ToolError(f"{shown(path)} has {offset - 1} lines; `offset` {offset} is behind its end.")
    if more:
        text += f"\n[Lines {offset}-{offset + count - 1} of {shown(path)}; go on with offset {offset + count}.]"
    return Result(text)


def page(file: BinaryIO, limit: int, most: int) -> tuple[str, int, bool]:
    """Read lines up to both bounds; return their text, their number, and whether there are more."""
    pieces: list[bytes] = []
    size = count = 0
    while count < limit and (count == 0 or size < most):
        content = line(file, min(LINE_BYTES, most))
        if content is None:
            break
        pieces.append(content)
        size += len(content)
        count += 1
    return b"".join(pieces).decode("utf-8", "replace"), count, bool(file.read(1))


def line(file: BinaryIO, most: int) -> bytes | None:
    """Read one line; of a longer one keep `most` bytes and say how many were left out. None at the end of the file."""
    kept = file.readline(most or SKIP_BYTES)
    if not kept:
        return None
    if kept.endswith(b"\n"):
        return kept
    left = 0
    while (rest := file.readline(SKIP_BYTES)) and not rest.endswith(b"\n"):
        left += len(rest)
    left += len(rest.removesuffix(b"\n"))
    if not left:
        return kept + rest
    return kept[: most or None] + f" … [{left} more bytes in this line]\n".encode()
