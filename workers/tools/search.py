"""search_files: lines that hold a text or match a pattern."""

import fnmatch
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from workers.tools.call import Call, Result, ToolError
from workers.tools.listing import printable
from workers.tools.paths import missing, resolve, shown
from workers.tools.text import EDIT_BYTES, SNIFF_BYTES, clipped, is_binary, opened

FILES = 20_000
"""Most files looked into."""
LINE_CHARS = 300
MATCHES = 200


@dataclass
class Report:
    """What was found, within its bounds."""

    limit: int
    most: int
    rows: list[str] = field(default_factory=list)
    matches: int = 0
    size: int = 0
    skipped: int = 0
    stopped: str = ""

    def full(self) -> bool:
        """Whether no more is wanted."""
        return bool(self.stopped)

    def add(self, row: str) -> None:
        """Add a row."""
        self.size += len(row.encode("utf-8", "replace")) + 1
        if self.size > self.most:
            self.stopped = f"stopped at {self.most} bytes of output"
        else:
            self.rows.append(row)


def search_files(call: Call) -> Result:
    """Return `file:line: text` of each match; lines of context are marked with a dash."""
    pattern = compiled(call)
    root = resolve(call.text("path", "."))
    context = call.whole("context", 0, 0, 20)
    glob = call.text("glob", "*")
    if not root.exists():
        raise missing(root)
    report = Report(call.whole("limit", MATCHES, 1, 5000), call.limits.output_bytes)
    looked = 0
    for path in files(root, glob):
        if looked == FILES:
            report.stopped = f"stopped after {FILES} files"
        if report.full():
            break
        looked += 1
        scan(path, pattern, context, report)
    return Result("\n".join(report.rows + summary(report, looked, call.text("pattern"), glob)))


def compiled(call: Call) -> "re.Pattern[str]":
    """Return the pattern, a literal text unless `regex` is set. Raises ToolError where it is none."""
    text = call.text("pattern")
    if not text:
        raise ToolError("`pattern` is empty. Give the text to look for.")
    flags = re.IGNORECASE if call.flag("ignore_case", default=False) else re.NOFLAG
    if not call.flag("regex", default=False):
        return re.compile(re.escape(text), flags)
    try:
        return re.compile(text, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise ToolError(
            f"`pattern` is no regular expression: {error}. Set regex to false to look for it literally."
        ) from error


def files(root: Path, glob: str) -> Iterator[Path]:
    """Yield files in order; hidden folders and links are passed over."""
    if not root.is_dir():
        yield root
        return
    for folder, names, entries in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for entry in sorted(entries):
            path = Path(folder) / entry
            if matches(path, root, glob) and path.is_file() and not path.is_symlink():
                yield path


def matches(path: Path, root: Path, glob: str) -> bool:
    """Whether a file's name, or its path below the root, fits the glob."""
    return fnmatch.fnmatchcase(path.name, glob) or fnmatch.fnmatchcase(
        str(path.relative_to(root)), glob.removeprefix("**/")
    )


def scan(path: Path, pattern: "re.Pattern[str]", context: int, report: Report) -> None:
    """Add a file's matches."""
    lines = text(path)
    if lines is None:
        report.skipped += 1
        return
    left = report.limit - report.matches
    hits = list(islice((index for index, line in enumerate(lines) if pattern.search(line)), left + 1))
    name, wanted = printable(shown(path)), set(hits[:left])
    last = -1
    for hit in hits[:left]:
        begin = max(last + 1, hit - context)
        if context and 0 <= last < begin - 1:
            report.add("--")
        last = min(hit + context, len(lines) - 1)
        for index in range(begin, last + 1):
            is_hit = index in wanted
            mark, line = (":", around(lines[index], pattern)) if is_hit else ("-", clipped(lines[index], LINE_CHARS))
            report.add(f"{name}{mark}{index + 1}{mark} {line}")
            if report.full():
                return
        report.matches += 1
    if len(hits) > left:
        report.stopped = f"stopped after {report.limit} matches"


def text(path: Path) -> list[str] | None:
    """Return a file's lines; None for a binary, unreadable or huge file."""
    try:
        with os.fdopen(opened(path), "rb") as file:
            head = file.read(SNIFF_BYTES)
            if is_binary(head) or os.fstat(file.fileno()).st_size > EDIT_BYTES:
                return None
            return (head + file.read(EDIT_BYTES)).decode("utf-8", "replace").splitlines()
    except (OSError, ToolError):
        return None


def around(line: str, pattern: "re.Pattern[str]") -> str:
    """Return a line, or of a long one what stands around the match."""
    if len(line) <= LINE_CHARS:
        return line
    found = pattern.search(line)
    start = max(0, (found.start() if found else 0) - LINE_CHARS // 3)
    return f"{'… ' if start else ''}{clipped(line[start:], LINE_CHARS)}"


def summary(report: Report, looked: int, pattern: str, glob: str) -> list[str]:
    """Return the last line: what was not found, not read, or cut."""
    notes = []
    if not report.matches:
        notes.append(f"No match for {pattern!r} in {looked} file{'' if looked == 1 else 's'}")
        if not looked and glob != "*":
            notes.append(f"no file's name fits {glob!r}")
    if report.skipped:
        notes.append(f"{report.skipped} binary, unreadable or large files were skipped")
    if report.stopped:
        notes.append(report.stopped)
    return [f"[{'; '.join(notes)}.]"] if notes else []
