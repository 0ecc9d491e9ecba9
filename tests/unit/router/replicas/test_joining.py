"""A router comes among the others with the same keys, to a server that will do, and says what is wrong otherwise."""

import sys
from pathlib import Path

import pytest

from router.address import Address, has_password, password_of, trouble
from router.options import RouterOptions
from router.replicas.joining import joining
from router.replicas.look import look
from router.store.database import NewerSchema
from router.vault import Vault
from signet.kit.home import Home
from signet.kit.lifecycle import StartError
from signet.kit.options import OptionsError, load
from tests.harness.postgres import ask


def home_of(folder: Path, vault: bytes = b"v" * 32, run: bytes = b"r" * 32) -> Home:
    """Make a data folder with these keys."""
    home = Home(folder)
    home.prepare()
    for name, key in (("vault.key", vault), ("run.key", run)):
        (home.keys / name).write_bytes(key)
        (home.keys / name).chmod(0o600)
    return home


async def come(home: Home, address: Address) -> str:
    """Join, and let go of the database."""
    engine, router = await joining(home, address)
    await engine.dispose()
    return router


async def test_the_first_routers_keys_are_those_of_all(tmp_path: Path, address: Address) -> None:
    await come(home_of(tmp_path / "a"), address)
    await come(home_of(tmp_path / "b"), address)
    for name, home in (
        ("vault", home_of(tmp_path / "c", vault=b"x" * 32)),
        ("run", home_of(tmp_path / "d", run=b"x" * 32)),
    ):
        with pytest.raises(StartError, match=f"copy keys/{name}.key from the data folder of one of them"):
            await come(home, address)
    held = await ask(address.url, "SELECT value FROM settings")
    assert all(
        key not in str(held).encode() for key in (b"v" * 32, (b"v" * 32).hex().encode(), (b"r" * 32).hex().encode())
    )
    assert await ask(address.url, "SELECT count(*) FROM routers") == [(2,)]


async def test_a_router_that_is_alone_may_come_with_other_keys_if_they_open_everything(
    tmp_path: Path, address: Address
) -> None:
    await come(home_of(tmp_path / "a"), address)
    await ask(address.url, "DELETE FROM routers")
    changed = home_of(tmp_path / "b", vault=b"n" * 32 + b"v" * 32)  # as in the middle of a change of the key
    await come(changed, address)
    sealed = Vault(b"n" * 32).seal_secret("s", "", "value")
    await ask(address.url, "INSERT INTO secrets VALUES ('s', '', $1, 1, 1, NULL)", sealed)
    await come(home_of(tmp_path / "c", vault=b"n" * 32), address)
    await ask(address.url, "DELETE FROM routers")
    with pytest.raises(StartError, match=r"keys/vault\.key"):
        await come(home_of(tmp_path / "d", vault=b"v" * 32), address)
    with pytest.raises(StartError, match=r"keys/vault\.key"):
        await come(home_of(tmp_path / "e", vault=b"x" * 32), address)


async def test_a_server_that_will_not_do_is_refused_with_the_reason(
    tmp_path: Path, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_of(tmp_path / "a")
    with monkeypatch.context() as context:
        context.setattr("router.store.postgres.OLDEST", 99)
        with pytest.raises(StartError, match=r"PostgreSQL 1[0-9]: 99 or newer is needed"):
            await come(home, address)
    with monkeypatch.context() as context:
        context.setitem(sys.modules, "asyncpg", None)
        with pytest.raises(StartError, match=r"pip install 'signet\[postgres\]'"):
            await come(home, address)
        with pytest.raises(StartError, match=r"pip install 'signet\[postgres\]'"):
            await look(home, RouterOptions(database=address.url))
    with pytest.raises(StartError, match=r"no_such.* cannot be reached"):
        await come(home, Address(address.url.replace("/test", "/no_such"), "planted-password"))
    await ask(address.url, "UPDATE alembic_version SET version_num = '9999'")
    for doing in (come(home, address), look(home, RouterOptions(database=address.url))):
        with pytest.raises(NewerSchema, match="newer Signet"):
            await doing


async def test_the_doctor_says_what_stands_there_and_changes_nothing(tmp_path: Path, address: Address) -> None:
    home = home_of(tmp_path / "a")
    options = RouterOptions(database=address.url)
    await come(home, address)
    assert "PostgreSQL" in (said := await look(home, options))
    assert "0 calls run" in said
    await ask(address.url, "UPDATE routers SET beat_micros = 0")
    assert "(silent)" in await look(home, options)
    assert "made at the start" in await look(home, RouterOptions())
    assert list(home.router.iterdir()) == []
    await ask(address.url, "UPDATE alembic_version SET version_num = '0001'")
    assert "migrated at the next start" in await look(home, options)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("postgresql://u@h/db", ""),
        ("postgres://u:p@h1,h2:5433/db?target_session_attrs=primary", ""),
        ("postgresql://u@/db?host=/run/postgresql", ""),
        ("postgresql://u@h", "must end with the name"),
        ("sqlite:///x", "must be postgresql://"),
        ("postgresql:db", "must be postgresql://"),
        ("postgresql://[h/db", "is no address"),
    ],
)
def test_an_address_is_looked_at_before_it_is_used(url: str, wrong: str) -> None:
    assert wrong in trouble(url)
    assert bool(wrong) == bool(trouble(url))


def test_a_password_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://u:planted@h:5433/db?password=planted&host=/x"
    address = Address(url, "planted")
    assert str(address) == "postgresql://u@h:5433/db?host=/x"
    assert "planted" not in repr(address)
    assert "planted" not in repr(RouterOptions(database=url))
    assert has_password(url)
    assert not has_password("postgresql://u@h/db")
    file = tmp_path / "pw"
    file.write_text("planted\nnot this\n")
    assert password_of(str(file)) == "planted"
    assert password_of("") == ""
    file.write_text("")
    with pytest.raises(StartError, match="is empty"):
        password_of(str(file))
    monkeypatch.setenv("SIGNET_ROUTER_DATABASE", "mysql://u:planted@h/db")
    with pytest.raises(OptionsError) as caught:
        load(RouterOptions, "router", Home(tmp_path), {})
    assert "planted" not in str(caught.value)
