"""Routers that share a database must have the same keys: it holds a name of each, from which no key can be told."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from router.store.postgres import Connection
from signet.kit.home import Home
from signet.kit.lifecycle import StartError

_KEY_BYTES = 32
_ID_BYTES = 8
_NAMED = b"\x02"
"""What begins a sealed value that carries the name of its key."""

_KEPT = "SELECT value FROM settings WHERE name = $1"
_KEEP = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_REPLACE = "UPDATE settings SET value = $2 WHERE name = $1"
_SEALED = """SELECT sealed_key FROM providers WHERE sealed_key IS NOT NULL
UNION ALL SELECT sealed_value FROM secrets"""
_OTHERS = "SELECT EXISTS (SELECT FROM routers)"


@dataclass(frozen=True)
class Keys:
    """The keys of this router by name; of the vault's, the first seals and all open."""

    vault: tuple[bytes, ...]
    run: bytes


def name(secret: bytes) -> bytes:
    """Give a key's name."""
    return hmac.digest(secret, b"signet vault key", hashlib.sha256)[:_ID_BYTES]


async def agree(home: Home, connection: Connection) -> None:
    """See that this router's keys are those of the others; before it is one of them. Raises StartError.

    The first router's keys become those of all; a router that is alone may come with others, if it opens everything.
    """
    keys = Keys(await _vault(home, connection), name(home.key("run.key")))
    await connection.execute(_KEEP, "vault_check", keys.vault[0].hex())
    kept = bytes.fromhex(await connection.fetchval(_KEPT, "vault_check"))
    if kept not in keys.vault:
        sealed = [bytes(row[0]) for row in await connection.fetch(_SEALED)]
        if not _opens(keys.vault, sealed) and (sealed or await connection.fetchval(_OTHERS)):
            raise _differ("vault.key", home)
    if kept != keys.vault[0]:
        await connection.execute(_REPLACE, "vault_check", keys.vault[0].hex())
    await connection.execute(_KEEP, "run_check", keys.run.hex())
    if bytes.fromhex(await connection.fetchval(_KEPT, "run_check")) != keys.run:
        if await connection.fetchval(_OTHERS):
            raise _differ("run.key", home)
        await connection.execute(_REPLACE, "run_check", keys.run.hex())


async def _vault(home: Home, connection: Connection) -> tuple[bytes, ...]:
    """Name the vault's keys, the first one made if this is the first router of all."""
    path = home.keys / "vault.key"
    if not path.exists():
        if await connection.fetchval(_KEPT, "vault_check") is not None:
            raise _differ("vault.key", home)
        home.key("vault.key")
    content = path.read_bytes()
    keys = tuple(name(content[start : start + _KEY_BYTES]) for start in range(0, len(content), _KEY_BYTES))
    return keys or (b"",)


def _opens(vault: tuple[bytes, ...], sealed: Iterable[bytes]) -> bool:
    """Whether there is something that is sealed, and all of it by these keys."""
    found = list(sealed)
    return bool(found) and all(each[:1] == _NAMED and each[1 : 1 + _ID_BYTES] in vault for each in found)


def _differ(key: str, home: Home) -> StartError:
    return StartError(
        f"{home.keys / key} is not the key of the routers that share this database: copy keys/{key} from the data "
        "folder of one of them (docs/replicas.md)"
    )
