"""Finds many values in little time.

A text is read in steps of a word (8, 4 or 2 bytes, by the length of the values), and each word is looked up among
those that lie at any offset of the values' ends: an occurrence cannot be stepped over. Only what was looked up with
success is compared, so that the time for a text does not depend on how many values there are.
"""

import re
import sys
from collections.abc import Collection, Iterable
from typing import Literal

from router.redaction.forms import forms

TOKENS = re.compile(rb"sgt_[A-Za-z0-9_\-]{24,}|sgr_[A-Za-z0-9_=\-]{24,}(?:\.[0-9a-f]+)?")
"""Signet's own tokens, of operators and workers and of runs: known by their form."""

HEAD, SHORT_HEAD = 4, 2
"""Bytes by which the begin of a form is known, and of one of less than SHORT bytes."""

SHORT = 12

_TOKEN_HEADS = (b"sgt_", b"sgr_")
_TOKEN_BYTES = (16 << 10) + HEAD  # what is longer is none
_TOKEN_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=.-"
_WORDS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+/=.%~:"

Span = tuple[int, int]


class _Table:
    """Forms of at least `2 * width - 1` bytes, by the words of `width` bytes at the offsets of their ends."""

    def __init__(self, width: int, kind: Literal["Q", "I", "H"]) -> None:
        self.width = width
        self._kind = kind
        self._words: dict[int, set[bytes]] = {}

    def add(self, form: bytes) -> None:
        """Know one form more."""
        for offset in range(self.width):
            start = len(form) - 2 * self.width + 1 + offset
            word = int.from_bytes(form[start : start + self.width], sys.byteorder)
            self._words.setdefault(word, set()).add(form)

    def candidates(self, data: bytes) -> set[bytes]:
        """Give the forms that may be in a text; nearly always none."""
        words = memoryview(data)[: len(data) // self.width * self.width].cast(self._kind)
        if self._words.keys().isdisjoint(words):
            return set()
        return {form for word in self._words.keys() & set(words) for form in self._words[word]}

    def __bool__(self) -> bool:
        return bool(self._words)


class Matcher:
    """Knows forms, and Signet's tokens by their own. Nothing is forgotten: a value that was kept stays one."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._forms: set[bytes] = set()
        self._tables = (_Table(8, "Q"), _Table(4, "I"), _Table(2, "H"))
        self.heads: dict[bytes, set[bytes]] = {head: set() for head in _TOKEN_HEADS}
        self.short_heads: dict[bytes, set[bytes]] = {}
        self._short_begins = {head[:size] for head in _TOKEN_HEADS for size in range(1, HEAD)}
        self._longest_bytes = HEAD
        self._loose_bytes = 0  # of the longest form that is not of word letters alone
        for value in values:
            self.know(value)

    def know(self, value: str) -> None:
        """Find this value from now on."""
        if value in self._values:
            return
        self._values.add(value)
        for form in forms(value) - self._forms:
            self._forms.add(form)
            next(table for table in self._tables if len(form) >= 2 * table.width - 1).add(form)
            heads, size = (self.heads, HEAD) if len(form) >= SHORT else (self.short_heads, SHORT_HEAD)
            heads.setdefault(form[:size], set()).add(form)
            self._short_begins.update(form[:part] for part in range(1, HEAD))
            self._longest_bytes = max(self._longest_bytes, len(form))
            if form.strip(_WORDS):
                self._loose_bytes = max(self._loose_bytes, len(form))

    def find(self, data: bytes) -> list[Span]:
        """Give where values stand, in order; those that overlap as one."""
        found: list[Span] = []
        for table in self._tables:
            if table and (candidates := table.candidates(data)):
                for form in candidates:
                    found += _occurrences(form, data)
        if b"sgt_" in data or b"sgr_" in data:
            found += [match.span() for match in TOKENS.finditer(data)]
        return _merged(found) if len(found) > 1 else found

    def tail(self, data: bytes, *, short: bool) -> int:
        """Say how many of the last bytes are the begin of a value that is not whole yet.

        Without `short` only begins of a head's length count: fewer bytes begin nearly everything.
        """
        words = len(data) - len(data.rstrip(_WORDS))
        if self._loose_bytes:
            words = max(words, min(self._loose_bytes, len(data)))
        run = data[len(data) - words :]
        token = _open_token(run)
        # A form that began further from the end would be whole: a long run of letters is not looked through.
        nearest = range(max(words - self._longest_bytes, 0), words if token is None else token)
        found = next((start for start in nearest if self._begins(run, start, short=short)), token)
        return 0 if found is None else words - found

    def headed(self, data: bytes) -> bool:
        """Whether a head stands in a short text: if not, no value is in it, and none is pending."""
        heads = self.heads
        for start in range(len(data) - HEAD + 1):
            if data[start : start + HEAD] in heads:
                return True
        if self.short_heads:
            return any(data[start : start + SHORT_HEAD] in self.short_heads for start in range(len(data) - 1))
        return False

    def _begins(self, run: bytes, start: int, *, short: bool) -> bool:
        head = run[start : start + HEAD]
        if len(head) < HEAD:
            if short and head in self._short_begins:
                return True
        elif (forms := self.heads.get(head)) and _any_longer(forms, run[start:]):
            return True
        shorter = self.short_heads.get(head[:SHORT_HEAD])
        return shorter is not None and _any_longer(shorter, run[start:])


def _open_token(run: bytes) -> int | None:
    """Give where one of Signet's tokens begins that may go on behind the end."""
    letters = min(len(run) - len(run.rstrip(_TOKEN_LETTERS)), _TOKEN_BYTES)
    places = [run.find(head, len(run) - letters) for head in _TOKEN_HEADS]
    return min((place for place in places if place >= 0), default=None)


def _any_longer(forms: Collection[bytes], end: bytes) -> bool:
    return any(len(form) > len(end) and form.startswith(end) for form in forms)


def _occurrences(form: bytes, data: bytes) -> list[Span]:
    found = []
    start = data.find(form)
    while start >= 0:
        found.append((start, start + len(form)))
        start = data.find(form, start + 1)
    return found


def _merged(found: list[Span]) -> list[Span]:
    found.sort()
    merged = [found[0]]
    for start, end in found[1:]:
        last = merged[-1]
        if start < last[1]:
            merged[-1] = (last[0], max(last[1], end))
        else:
            merged.append((start, end))
    return merged
