"""Routers that share a database must have the same keys: it holds a name of each, from which no key can be told."""

from collections.abc import Iterable
from dataclasses import dataclass

from router.keys import Key, KeyFile, cut
from router.store import routers
from router.store.postgres import Connection
from signet.kit.home import Home
from signet.kit.lifecycle import StartError

_VAULT, _RUN = "vault_check", "run_check"
_ID_BYTES = 8
_NAMED = b"\x02"
"""What begins a sealed value that carries the name of its key."""


@dataclass(frozen=True)
class Keys:
    """The keys of this router by name; of the vault's, the first seals and all open."""

    vault: tuple[bytes, ...]
    run: bytes


async def agree(home: Home, connection: Connection) -> None:
    """See that this router's keys are those of the others; before it is one of them. Raises StartError.

    The first router's keys become those of all; a router that is alone may come with others, if it opens everything.
    """
    keys = Keys(await _vault(home, connection), Key(home.key("run.key")).id)
    kept = bytes.fromhex(await routers.keep_first(connection, _VAULT, keys.vault[0].hex()))
    if kept not in keys.vault:
        sealed = await routers.sealed(connection)
        if not _opens(keys.vault, sealed) and (sealed or await routers.any_there(connection)):
            raise _differ("vault.key", home)
    if kept != keys.vault[0]:
        await routers.replace(connection, _VAULT, keys.vault[0].hex())
    if bytes.fromhex(await routers.keep_first(connection, _RUN, keys.run.hex())) != keys.run:
        if await routers.any_there(connection):
            raise _differ("run.key", home)
        await routers.replace(connection, _RUN, keys.run.hex())


async def _vault(home: Home, connection: Connection) -> tuple[bytes, ...]:
    """Name the vault's keys, the first one made if this is the first router of all."""
    path = home.keys / "vault.key"
    if not path.exists():
        if await routers.kept(connection, _VAULT) is not None:
            raise _differ("vault.key", home)
        home.key("vault.key")
    return tuple(key.id for key in cut(KeyFile(path).read()))


def _opens(vault: tuple[bytes, ...], sealed: Iterable[bytes]) -> bool:
    """Whether there is something that is sealed, and all of it by these keys."""
    found = list(sealed)
    return bool(found) and all(each[:1] == _NAMED and each[1 : 1 + _ID_BYTES] in vault for each in found)


def _differ(key: str, home: Home) -> StartError:
    return StartError(
        f"{home.keys / key} is not the key of the routers that share this database: copy keys/{key} from the data "
        "folder of one of them (docs/replicas.md)"
    )
