"""Redaction as anybody would write it who has time: what the fast one is compared with."""

import re
from collections.abc import Iterable

from router.redaction.flow import MARK
from router.redaction.forms import forms

LEAD = 3
"""Letters of a value that a stream may have passed on before it could be told."""


def regions(text: bytes, values: Iterable[str]) -> list[tuple[int, int]]:
    """Give where values stand in any form; those that overlap as one."""
    spans = []
    for form in {form for value in values for form in forms(value)}:
        spans += [(at, at + len(form)) for at in range(len(text)) if text.startswith(form, at)]
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def redacted(text: bytes, values: Iterable[str]) -> bytes:
    """Give a text with a mark in the place of each."""
    for start, end in reversed(regions(text, values)):
        text = text[:start] + MARK + text[end:]
    return text


def allowed(text: bytes, values: Iterable[str]) -> "re.Pattern[bytes]":
    """Give what may become of a text that was cut: up to LEAD first letters of a value, then its mark, and all else."""
    parts = []
    at = 0
    for start, end in regions(text, values):
        parts.append(re.escape(text[at:start]))
        leads = [re.escape(text[start : start + size]) for size in range(LEAD, -1, -1)]
        parts.append(b"(?:" + b"|".join(leads) + b")" + re.escape(MARK))
        at = end
    return re.compile(b"".join([*parts, re.escape(text[at:])]))
