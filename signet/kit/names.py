"""Names of resources: `runs/{run}`, ids that sort by time, and slugs that people choose."""

import os
import re
import time

from signet.kit.errors import invalid

SLUG = re.compile(r"[a-z][a-z0-9-]{0,62}")
"""What people may name an agent, a soul, a provider, a worker."""


def uuid7() -> str:
    """Make a UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits. Text sorts by time."""
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"  # uuid.UUID takes twice as long to write it
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def full(collection: str, name: str) -> str:
    """Complete a short name: `assistant` becomes `agents/assistant`; a full one stays."""
    return name if name.startswith(f"{collection}/") else f"{collection}/{name}"


def short(name: str) -> str:
    """Give what follows the collection: `agents/assistant` becomes `assistant`, `models/a/b` becomes `a/b`."""
    return name.partition("/")[2]


def parse(collection: str, name: str, field: str = "name") -> str:
    """Give the id in `collection/{id}`. Raises InvalidArgument that names the field."""
    prefix, _, ident = name.partition("/")
    if prefix != collection or not ident:
        raise invalid((field, f"must be `{collection}/{{id}}`, not {name!r}"))
    return ident


def parse_slug(collection: str, name: str, field: str = "name") -> str:
    """Give the slug in `collection/{slug}`. Raises InvalidArgument that says what a slug is."""
    ident = parse(collection, name, field)
    if not SLUG.fullmatch(ident):
        raise invalid((field, f"{ident!r} is no name: 1-63 of a-z, 0-9 and -, beginning with a letter"))
    return ident
