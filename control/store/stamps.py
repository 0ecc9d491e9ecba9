"""Rows of stamps and of the texts they were taken from, each kept once."""

import hashlib
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from control.store.schema import sources, stamps
from signet.v1 import runs_pb2

_PARTS = ("soul", "tools", "runtime", "model", "permissions")
_STAMP = sa.select(stamps.c.digest).where(stamps.c.digest == sa.bindparam("of"))
_SOURCE = sa.select(sources.c.digest).where(sources.c.digest == sa.bindparam("of"))
_BODY = sa.select(sources.c.body).where(sources.c.digest == sa.bindparam("of"))
_BODIES = sa.select(sources).where(sources.c.digest.in_(sa.bindparam("of", expanding=True)))


def keep(connection: sa.Connection, stamp: runs_pb2.Stamp, texts: Mapping[str, str]) -> None:
    """Keep a stamp and the texts of its five digests, keyed by digest."""
    if connection.execute(_STAMP, {"of": stamp.digest}).first():
        return
    rows = [{"digest": digest, "body": text.encode()} for digest, text in texts.items()]
    connection.execute(insert(sources).on_conflict_do_nothing(), rows)
    values = {"digest": stamp.digest} | {part: getattr(stamp, part) for part in _PARTS}
    connection.execute(insert(stamps).on_conflict_do_nothing(), values)


def keep_body(connection: sa.Connection, body: bytes) -> str:
    """Keep some bytes under their sha256, and give it."""
    digest = hashlib.sha256(body).hexdigest()
    if not connection.execute(_SOURCE, {"of": digest}).first():
        connection.execute(insert(sources).on_conflict_do_nothing(), {"digest": digest, "body": body})
    return digest


def body(connection: sa.Connection, digest: str) -> bytes:
    """Give bytes kept under a digest."""
    found: bytes = connection.execute(_BODY, {"of": digest}).scalar_one()
    return found


def texts(connection: sa.Connection, stamp: runs_pb2.Stamp) -> dict[str, str]:
    """Give the texts of a stamp's five digests, keyed by part."""
    wanted = {part: getattr(stamp, part) for part in _PARTS}
    found = {row.digest: row.body.decode() for row in connection.execute(_BODIES, {"of": list(wanted.values())})}
    return {part: found[digest] for part, digest in wanted.items()}
