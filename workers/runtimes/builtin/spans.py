"""The parts of a sentence that can be a tool's argument: a small model may choose among them, and make none up."""

import re
import shutil
from collections.abc import Collection, Iterable

from workers.runtimes.builtin.words import PATH, QUOTED

SPAN_WORDS = 8
"""Longest span, in words."""
WORDS = 48
"""Words of a sentence that are looked at; of a longer one its begin and its end."""
CHOICES = 160
"""Most spans offered for one argument."""
ENDS = ".,;:!?"

NAMED = re.compile(r"\b(?:file|named|called|document)\s+(?:named\s+|called\s+)?([\w.~/-]+)", re.IGNORECASE)
FOLDER_AFTER = re.compile(r"\b(?:folder|directory)\s+(?:named\s+|called\s+)?([\w.~/-]+)", re.IGNORECASE)
FOLDER_BEFORE = re.compile(r"([\w.~/-]+)\s+(?:folder|directory)\b", re.IGNORECASE)
CAPITALS = re.compile(r"(?<![\w./-])(?:[A-Z][A-Z0-9_]{2,}|Makefile|Dockerfile)(?![\w./-])")
MARKER = re.compile(
    r"\b(?:run|execute|launch|start|enter|type)(?: (?:the|this|a) (?:shell )?(?:command|script|program))?:?\s+"
    r"|\bcommand:?\s+|:\s+",
    re.IGNORECASE,
)
TRAILING = re.compile(
    r"\s*(?:,?\s*(?:please|now|for me|for us|thanks|thank you|on this machine|in bash|"
    r"(?:in|on|with|using) (?:the|a|your) (?:shell|terminal|console|command line)|"
    r"and (?:show|tell|give|print|report)\b.*))+[.!?]*$",
    re.IGNORECASE,
)


def bag(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


FILLER = bag(
    "the a an in of me my your our its it that this these those and with please current whole new working for "
    "from on what which named called file files folder directory into as says saying say contain containing "
    "contains has have is are listing to by so all any every everything you your workspace where does do be i "
    "we there at or notes documents"
)
"""Words that no path is, and with which no text to write or find begins or ends."""
VERBS = bag(
    "write create make save put store note add generate find search look grep locate show replace change edit "
    "fix correct rename turn swap substitute update modify set text word words sentence phrase name string "
    "term line lines mention mentions content contents occurs occur appear appears spelling variable want need "
    "about inside within through occurrence"
)
"""Words of the wish itself: no text begins or ends with one, if there is another choice."""
JOINTS = bag("with by to into for instead becomes become should in")
"""Words between the old and the new text of a change."""
ENGLISH = bag(
    "time free which find more look test who file sort script python date clear cut join last watch write wall "
    "head split install link yes true false at less make kill print dir open see say host screen view ex red "
    "top stat sum factor"
)
"""Programs whose names are common words: they count only where a command is clearly begun."""
SCRIPTS = {".sh": "sh", ".py": "python3"}


def unique(items: Iterable[str]) -> list[str]:
    """Return them once each, in order, at most CHOICES."""
    return list(dict.fromkeys(item for item in items if item))[:CHOICES]


def quoted(text: str) -> list[str]:
    """Return the quoted parts, without their quotes; a quote inside a word, as in print("x"), is part of the word."""
    found = (match for match in QUOTED.finditer(text) if match.start() == 0 or text[match.start() - 1].isspace())
    return unique(match.group()[1:-1] for match in found)


def paths(text: str, *, folder: bool = False) -> list[str]:
    """Return what looks like a path: by its dot or slash; else, for a folder or a file, what is named as one."""
    plain = [match.group().rstrip(ENDS) for match in PATH.finditer(text)]
    if plain:
        return unique(plain)
    patterns = (FOLDER_AFTER, FOLDER_BEFORE) if folder else (NAMED, CAPITALS)
    found = [match.group(match.lastindex or 0) for pattern in patterns for match in pattern.finditer(text)]
    return unique(word.rstrip(ENDS) for word in found if word.lower().rstrip(ENDS) not in FILLER | VERBS)


def spans(text: str) -> list[str]:
    """Return every run of at most SPAN_WORDS words, shorter ones first; punctuation at the ends is taken off."""
    words = text.split()
    if len(words) > WORDS:
        words = [*words[: WORDS // 2], *words[-WORDS // 2 :]]
    return unique(
        trimmed(" ".join(words[start : start + length]))
        for length in range(1, SPAN_WORDS + 1)
        for start in range(len(words) - length + 1)
    )


def texts(text: str, avoid: Collection[str] = (), *, parts: bool = False) -> list[str]:
    """Return what can be a text to write or find: quoted parts if there are any, else spans that begin and end well.

    No span holds a word to `avoid`. With `parts` the sentence joins an old and a new text, and none crosses the joint.
    """
    marked = quoted(text)
    if marked:
        return marked
    every = [span for span in spans(text) if not any(trimmed(word) in avoid for word in span.split())]
    good = [span for span in every if begins_and_ends(span, FILLER | VERBS)]
    good = [span for span in good if not (parts and JOINTS & bag(span.lower()))]
    return good or [span for span in every if begins_and_ends(span, FILLER)]


def begins_and_ends(span: str, without: frozenset[str]) -> bool:
    """Whether neither the first nor the last word is one of these."""
    words = span.lower().split()
    return words[0] not in without and words[-1] not in without


def commands(text: str) -> list[str]:
    """Return what can be a command: a quoted part, what follows "run", or an end of the sentence that is one."""
    marked = [part for part in quoted(text) if is_program(part.split(" ", 1)[0])]
    if marked:
        return marked
    body = TRAILING.sub("", text.strip()).rstrip("?!")
    begun = [body[match.end() :] for match in MARKER.finditer(body)]
    begun = [end for end in begun if is_program(end.split(" ", 1)[0]) or " -" in end or script(end) != end]
    words = body.split()
    loose = (
        " ".join(words[start:]) for start, word in enumerate(words[:WORDS]) if word not in ENGLISH and is_program(word)
    )
    return unique(script(end) for end in (begun or loose))[:4]


def script(command: str) -> str:
    """Put the interpreter before a script that is named alone."""
    first = command.split(" ", 1)[0]
    interpreter = next((program for end, program in SCRIPTS.items() if first.endswith(end)), "")
    return f"{interpreter} {command}" if interpreter and "/" not in first else command


def is_program(word: str) -> bool:
    """Whether the shell would find it."""
    return bool(re.fullmatch(r"[\w./+-]+", word)) and (shutil.which(word) is not None or "/" in word.strip("/"))


def trimmed(span: str) -> str:
    """Take punctuation off the ends."""
    return span.strip(ENDS[1:] + "\"'`").removesuffix(".")
