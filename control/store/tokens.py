"""Rows of tokens and of sign-in codes; only hashes of what is secret."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from control.store.schema import codes
from control.store.schema import tokens as table


@dataclass(frozen=True)
class Token:
    """A caller's identity. `scope` is a number of signet.v1.TokenScope; times are microseconds."""

    id: str
    title: str
    scope: int
    hash: str
    create_time: int
    expire_time: int | None
    revoke_time: int | None


def get(connection: sa.Connection, ident: str) -> Token | None:
    """Give a token, also one that is over."""
    row = connection.execute(sa.select(table).where(table.c.id == ident)).one_or_none()
    return Token(**row._asdict()) if row else None


def every(connection: sa.Connection) -> list[Token]:
    """Give all tokens, also those that are over."""
    return [Token(**row._asdict()) for row in connection.execute(sa.select(table))]


def holding(connection: sa.Connection, now: int) -> frozenset[str]:
    """Give the resource names of the tokens that are not over."""
    over = sa.or_(table.c.expire_time <= now, table.c.revoke_time.is_not(None))
    query = sa.select(table.c.id).where(sa.not_(sa.func.coalesce(over, sa.false())))
    return frozenset(f"tokens/{ident}" for ident in connection.execute(query).scalars())


def page(connection: sa.Connection, *, before: tuple[int, str] | None, limit: int) -> list[Token]:
    """Give tokens, newest first, those before a time and id."""
    query = sa.select(table).order_by(table.c.create_time.desc(), table.c.id.desc()).limit(limit)
    if before:
        query = query.where(sa.tuple_(table.c.create_time, table.c.id) < sa.tuple_(*before))
    return [Token(**row._asdict()) for row in connection.execute(query)]


def keep(connection: sa.Connection, token: Token) -> None:
    """Keep a token; one of the same id is replaced."""
    statement = insert(table).values(vars(token))
    replaced = {name: value for name, value in vars(token).items() if name != "id"}
    connection.execute(statement.on_conflict_do_update(index_elements=[table.c.id], set_=replaced))


def count(connection: sa.Connection) -> int:
    """Count the tokens."""
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def delete_over(connection: sa.Connection, before: int) -> None:
    """Forget tokens that ended before a time."""
    connection.execute(sa.delete(table).where(sa.or_(table.c.expire_time < before, table.c.revoke_time < before)))


def revoke(connection: sa.Connection, ident: str, now: int) -> None:
    """End a token."""
    connection.execute(sa.update(table).where(table.c.id == ident).values(revoke_time=now))


def keep_code(connection: sa.Connection, digest: str, expire_time: int, now: int) -> None:
    """Keep a sign-in code, and forget those that are over."""
    connection.execute(sa.delete(codes).where(codes.c.expire_time <= now))
    connection.execute(sa.insert(codes), {"hash": digest, "expire_time": expire_time})


def count_codes(connection: sa.Connection, now: int) -> int:
    """Count the sign-in codes that could be used now."""
    return connection.execute(sa.select(sa.func.count()).where(codes.c.expire_time > now)).scalar_one()


def take_code(connection: sa.Connection, digest: str, now: int) -> bool:
    """Use a sign-in code up. False for one that is wrong, used or over."""
    taken = connection.execute(sa.delete(codes).where(codes.c.hash == digest, codes.c.expire_time > now))
    return taken.rowcount == 1
