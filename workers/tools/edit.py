"""edit_file: replace an exact text."""

from difflib import SequenceMatcher

from workers.tools.call import Call, Result, ToolError
from workers.tools.paths import resolve, shown
from workers.tools.text import clipped, whole
from workers.tools.write import store

NEAR_RATIO = 0.6
NEAR_LINES = 20_000
SHOWN_CHARS = 200


def edit_file(call: Call) -> Result:
    """Replace `old_text` with `new_text`; it has to be there exactly once, or `replace_all` has to be set."""
    path = resolve(call.text("path"))
    old, new = call.text("old_text"), call.text("new_text")
    every = call.flag("replace_all", default=False)
    if not old:
        raise ToolError("`old_text` is empty. Give the exact text to replace; write_file makes a new file.")
    if old == new:
        raise ToolError("`old_text` and `new_text` are the same: there is nothing to change.")
    raw = whole(path)
    try:
        content = raw.decode()
    except UnicodeDecodeError as error:
        raise ToolError(f"{shown(path)} is not valid UTF-8 (byte {error.start}). Use exec and sed.") from error
    if "\r\n" in content and "\r\n" not in old and old not in content:
        old, new = old.replace("\n", "\r\n"), new.replace("\n", "\r\n")
    found = content.count(old)
    if not found:
        raise ToolError(f"`old_text` is not in {shown(path)}.{near(content, old)} Not changed.")
    if found > 1 and not every:
        raise ToolError(
            f"`old_text` is in {shown(path)} {found} times (lines {lines(content, old)}). Give more of the text around "
            "it, or set replace_all. Not changed."
        )
    store(path, content.replace(old, new).encode())
    first = content[: content.index(old)].count("\n") + 1
    return Result(f"Edited {shown(path)}: {found} place{'' if found == 1 else 's'}, the first at line {first}.")


def lines(content: str, old: str) -> str:
    """Return the line numbers of the first places."""
    numbers: list[str] = []
    start = -1
    while len(numbers) < 5 and (start := content.find(old, start + 1)) >= 0:  # noqa: PLR2004 - enough to see what is meant
        numbers.append(str(content[:start].count("\n") + 1))
    return ", ".join(numbers)


def near(content: str, old: str) -> str:
    """Say where something like it stands: other spacing, or the line most alike."""
    wanted = next((line.strip() for line in old.splitlines() if line.strip()), "")
    best, place, text = NEAR_RATIO, 0, ""
    matcher = SequenceMatcher(b=wanted[:SHOWN_CHARS], autojunk=False)
    for number, line in enumerate(content.splitlines()[:NEAR_LINES], 1):
        if not line.strip():
            continue
        matcher.set_seq1(line.strip()[:SHOWN_CHARS])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and matcher.ratio() > best:
            best, place, text = matcher.ratio(), number, line
    if not place:
        return " Nothing in it is like it: read_file shows what it holds."
    why = "the spacing or another line differs" if best == 1.0 else "is the line most like it"
    return f" Line {place} {'begins alike, but ' if best == 1.0 else ''}{why}: {clipped(text, SHOWN_CHARS)!r}."
