"""list_files: what is in a folder."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from workers.tools.call import Call, Result, ToolError
from workers.tools.paths import failed, missing, resolve, shown

ENTRIES = 500
FOLDER_ENTRIES = 20_000
"""Most names of one folder that are sorted; of a larger folder some are left out, and it is said."""
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def list_files(call: Call) -> Result:
    """Return names in order, folders with a slash, files with their size, down to `depth`."""
    path = resolve(call.text("path", "."))
    depth = call.whole("depth", 1, 1, 20)
    limit = call.whole("limit", ENTRIES, 1, 10_000)
    hidden = call.flag("hidden", default=False)
    if not path.exists():
        raise missing(path)
    if not path.is_dir():
        raise ToolError(f"{shown(path)} is a file, not a folder. read_file shows what it holds.")
    rows: list[str] = []
    size = 0
    for row in walk(path, "", depth, hidden=hidden):
        size += len(row.encode("utf-8", "replace")) + 1
        if len(rows) == limit or size > call.limits.output_bytes:
            rows.append(f"[Stopped after {len(rows)} entries; give a path, a smaller depth or a higher limit.]")
            break
        rows.append(row)
    return Result("\n".join(rows) if rows else f"{'The workspace' if shown(path) == '.' else shown(path)} is empty.")


def walk(folder: Path, prefix: str, depth: int, *, hidden: bool) -> Iterator[str]:
    """Yield a folder's rows, each subfolder's behind its own. Links are shown and not followed."""
    try:
        with os.scandir(folder) as scan:
            entries = [entry for entry, _ in zip(scan, range(FOLDER_ENTRIES), strict=False)]
    except OSError as error:
        if not prefix:
            raise failed("list", folder, error) from error
        yield f"{prefix}[{error.strerror}]"
        return
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name.startswith(".") and not hidden:
            continue
        name = prefix + printable(entry.name)
        if entry.is_dir(follow_symlinks=False):
            yield f"{name}/"
            if depth > 1:
                yield from walk(folder / entry.name, f"{name}/", depth - 1, hidden=hidden)
        else:
            yield name + detail(entry)
    if len(entries) == FOLDER_ENTRIES:
        yield f"{prefix}[only {FOLDER_ENTRIES} names of this folder were read]"


def detail(entry: "os.DirEntry[str]") -> str:
    """Return what is said behind a name: where a link goes, or a size."""
    try:
        info = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(info.st_mode):
            return f" -> {printable(str(Path(entry.path).readlink()))}"
    except OSError as error:
        return f" ({error.strerror})"
    return f" ({amount(info.st_size)})" if stat.S_ISREG(info.st_mode) else " (special)"


def amount(size: int) -> str:
    """Return a size for people."""
    value, unit = float(size), 0
    while value >= 1024 and unit + 1 < len(UNITS):  # noqa: PLR2004 - bytes of a KiB
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if unit == 0 else f"{value:.1f} {UNITS[unit]}"


def printable(name: str) -> str:
    """Return a name on one line; bytes that are not UTF-8 and control characters are replaced."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
