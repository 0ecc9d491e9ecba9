"""write_file: a whole file at once, or not at all."""

import os
import tempfile
from pathlib import Path

from workers.tools.call import Call, Result, ToolError
from workers.tools.paths import failed, resolve, shown

FILE_MODE = 0o644


def write_file(call: Call) -> Result:
    """Create or replace a file; folders on the way to it are made."""
    path = resolve(call.text("path"))
    content = call.text("content").encode("utf-8", "replace")
    existed = path.exists()
    store(path, content)
    lines = content.count(b"\n") + (not content.endswith(b"\n") if content else 0)
    verb = "Replaced" if existed else "Created"
    return Result(f"{verb} {shown(path)}: {lines} line{'' if lines == 1 else 's'}, {len(content)} bytes.")


def store(path: Path, content: bytes) -> None:
    """Write beside the file and rename over it, so that nobody sees half of it. A link is followed, a mode is kept."""
    if path.is_dir():
        raise ToolError(
            f"{shown(path)} is a folder. Give the path of a file in it, for example {shown(path)}/notes.txt."
        )
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ToolError(f"{shown(target.parent)} is a file, so nothing can be put under it.") from error
    except NotADirectoryError as error:
        raise ToolError(f"A part of {shown(target.parent)} is a file, not a folder.") from error
    except OSError as error:
        raise failed("create the folder", target.parent, error) from error
    try:
        replace(target, content)
    except OSError as error:
        raise failed("write", path, error) from error


def replace(target: Path, content: bytes) -> None:
    """Put content in place of a file in one step; leave nothing behind when that fails."""
    if target.exists() and not target.is_file():
        raise ToolError(f"{shown(target)} is not a regular file.")
    mode = target.stat().st_mode & 0o777 if target.exists() else FILE_MODE
    fd, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
