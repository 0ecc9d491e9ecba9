"""Paths of requests and globs over them. A path that servers read in different ways matches no rule that names one."""

import re
from urllib.parse import unquote_to_bytes

ANY = "/**"
_TARGET = re.compile(r"[\x21-\x7e]+")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_AGAIN = re.compile(r"%[0-9A-Fa-f]{2}")


def clean(target: str) -> tuple[str, ...] | None:
    """Give the segments of a request's path, decoded once, without query and a last slash.

    None where servers differ: dot segments, empty segments, encoded slashes, backslashes, `;` parameters, escapes
    within escapes, bytes that are no UTF-8, and what does not begin with a slash.
    """
    path = target.partition("?")[0]
    if not path.startswith("/") or "#" in path or _ESCAPE.search(path) or "%2f" in path.lower():
        return None
    try:
        text = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return None
    if _AGAIN.search(text) or not text.isprintable() or "\\" in text or ";" in text:
        return None
    segments = tuple(text.removesuffix("/").split("/")[1:])
    if any(segment in {"", ".", ".."} for segment in segments):
        return None
    return segments


def sendable(target: str) -> bool:
    """Tell whether a request's target is printable ASCII without spaces, as HTTP wants it."""
    return bool(_TARGET.fullmatch(target))


def pattern_trouble(glob: str) -> str:
    """Say what is wrong with a policy's path glob; empty where nothing is."""
    if not glob.startswith("/"):
        return "must begin with /"
    if any(letter in glob for letter in "%\\;?#") or not glob.isprintable():
        return "is written decoded, and without % \\ ; ? #"
    segments = glob.removesuffix("/").split("/")[1:]
    if any(segment in {"", ".", ".."} for segment in segments):
        return "has an empty or a dot segment"
    if any("**" in segment and segment != "**" for segment in segments):
        return "has ** beside other letters: ** stands for whole segments, * for letters within one"
    return ""


def matches(glob: str, segments: tuple[str, ...]) -> bool:
    """Tell whether a glob covers a clean path: `*` is any letters of one segment, `**` any segments, also none."""
    wanted = glob.removesuffix("/").split("/")[1:]
    place = step = 0
    star, mark = -1, 0
    while step < len(segments):
        if place < len(wanted) and wanted[place] == "**":
            star, mark, place = place, step, place + 1
        elif place < len(wanted) and wild(wanted[place], segments[step]):
            place, step = place + 1, step + 1
        elif star >= 0:
            mark += 1
            place, step = star + 1, mark
        else:
            return False
    return all(part == "**" for part in wanted[place:])


def wild(glob: str, text: str) -> bool:
    """Tell whether a text is of a form in which `*` stands for any letters. Takes at most their lengths' product."""
    first, *rest = glob.split("*")
    if not rest:
        return glob == text
    if not text.startswith(first):
        return False
    place = len(first)
    for part in rest[:-1]:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return len(text) - place >= len(rest[-1]) and text.endswith(rest[-1])
