"""The vault's key can be changed at any time, and be killed at it; where it is missing or wrong nothing is sealed."""

import os
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from router.keys import KEY_BYTES, KeyFile, cut
from router.rotation import Rotation
from router.store.database import open_database
from router.store.schema import metadata
from router.store.sealed import PLACES, Sealed, SealedStore
from router.store.secrets import SecretStore
from router.vault import Vault, VaultError, secret_of
from signet.kit import log as logs
from signet.kit.errors import from_rpc
from signet.kit.home import Home, HomeError
from signet.v1 import providers_pb2, secrets_pb2
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from signet.v1.secrets_pb2_grpc import SecretServiceStub
from tests.fakes.provider import FakeProvider
from tests.unit.router.rig import Rig, add, code, rig
from tests.unit.router.test_secrets_lent import borrow, put, token

KEY = "sk-planted-0123456789"


async def status(running: Rig) -> secrets_pb2.Vault:
    """Give the vault's state."""
    return (await SecretServiceStub(running.channel).GetVault(secrets_pb2.GetVaultRequest())).vault


async def rotate(running: Rig) -> secrets_pb2.Vault:
    """Change the key."""
    return (await SecretServiceStub(running.channel).RotateVaultKey(secrets_pb2.RotateVaultKeyRequest())).vault


def key_file(root: Path) -> Path:
    """Give the path of the keys."""
    return root / "keys" / "vault.key"


async def test_a_rotation_seals_everything_anew_and_nothing_stops_working(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with FakeProvider(key=KEY) as fake:
        async with rig(home, fake) as running:
            await put(running)
            await put(running, owner="agents/a1", value="the agent's")
            before = await status(running)
            assert [key.values for key in before.keys] == [3]
            after = await rotate(running)
            assert [key.values for key in after.keys] == [3, 0]
            assert after.keys[1].id == before.keys[0].id
            assert key_file(home).read_bytes().hex().count(before.keys[0].id) == 0, "a name that tells of the key"
            assert (await borrow(running, token(running, "github-token"))).json() == {"value": "the agent's"}
            assert (await running.chat()).status_code == 200
        async with rig(home) as running:
            assert [key.values for key in (await status(running)).keys] == [3]
            assert len(key_file(home).read_bytes()) == KEY_BYTES
            assert (await borrow(running, token(running, "github-token"))).json() == {"value": "the agent's"}
            assert (await running.chat()).status_code == 200


class Killed(BaseException):
    """Stands for the end of the process."""


class DyingFile(KeyFile):
    """A key file whose process is killed at its nth writing, before it or after it."""

    def __init__(self, path: Path, nth: int, when: str) -> None:
        super().__init__(path)
        object.__setattr__(self, "left", nth)
        object.__setattr__(self, "when", when)

    def write(self, content: bytes) -> None:
        """Write, or die."""
        object.__setattr__(self, "left", self.left - 1)  # type: ignore[attr-defined] # set above
        if self.left == 0 and self.when == "before":  # type: ignore[attr-defined] # as above
            raise Killed
        super().write(content)
        if self.left == 0:  # type: ignore[attr-defined] # as above
            raise Killed


class DyingStore(SealedStore):
    """A store whose process is killed in the nth change, in the transaction or after it."""

    left = 0
    when = ""

    async def change(self, again: Callable[[Sealed], bytes]) -> int:
        """Change, or die."""
        self.left -= 1
        dying = self.left == 0

        def last(sealed: Sealed) -> bytes:
            text = again(sealed)
            if dying and self.when == "within" and sealed.title == "secrets/c":
                raise Killed
            return text

        count = await super().change(last)
        if dying:
            raise Killed
        return count


async def rotated_and_removed(rotation: Rotation) -> None:
    """Change the key, and wait until the one before is gone."""
    await rotation.rotate()
    assert rotation._removal is not None
    await rotation._removal


POINTS = [
    *(("file", nth, when) for nth in (1, 2) for when in ("before", "after")),
    *(("store", nth, when) for nth in (1, 2, 3) for when in ("within", "after")),
]


@pytest.mark.parametrize(("part", "nth", "when"), POINTS)
async def test_killed_at_any_point_no_value_is_lost(tmp_path: Path, part: str, nth: int, when: str) -> None:
    home = Home(tmp_path)
    home.prepare()
    path = key_file(tmp_path)
    first = os.urandom(KEY_BYTES)
    KeyFile(path).write(first)
    engine = open_database(home.router / "router.db")
    secrets = SecretStore(engine)
    old = Vault(first)
    for name in ("a", "b", "c"):
        await secrets.put(name, "", old.seal_secret(name, "", f"value of {name}"), 1)

    def looking_after(store: SealedStore, file: KeyFile) -> Rotation:
        return Rotation(Vault(file.read(), again=file.read), file, store, logs.get("router"), grace_seconds=0)

    store: SealedStore = SealedStore(engine)
    file = KeyFile(path)
    if part == "file":
        file = DyingFile(path, nth, when)
    else:
        dying = DyingStore(engine)
        dying.left, dying.when = nth, when
        store = dying
    rotation = looking_after(store, file)
    await rotation.start()
    with pytest.raises(Killed):
        await rotated_and_removed(rotation)

    rest = await SealedStore(engine).all()
    left = Vault(KeyFile(path).read())
    assert all(left.sealer(sealed.bound, sealed.text) for sealed in rest), "a value that no key opens"
    again = looking_after(SealedStore(engine), KeyFile(path))
    await again.start()
    standing = await again.standing()
    assert (standing.unknown, standing.problem) == (0, "")
    assert [count for _, count in standing.keys] == [3]
    assert len(path.read_bytes()) == KEY_BYTES
    vault = Vault(path.read_bytes())
    for name in ("a", "b", "c"):
        assert vault.open_secret(name, "", (await secrets.sealed(name))[""]) == f"value of {name}"
    await engine.dispose()


async def test_what_the_key_before_sealed_and_was_stored_late_is_sealed_anew(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    file = KeyFile(key_file(tmp_path))
    file.write(os.urandom(KEY_BYTES))
    engine = open_database(home.router / "router.db")
    secrets = SecretStore(engine)
    vault = Vault(file.read(), again=file.read)
    late = vault.seal_secret("late", "", "sealed before, stored after")
    rotation = Rotation(vault, file, SealedStore(engine), logs.get("router"))
    await rotation.rotate()
    await secrets.put("late", "", late, 1)
    assert len(file.read()) == 2 * KEY_BYTES
    await rotation.aclose()
    await Rotation(vault, file, SealedStore(engine), logs.get("router")).start()
    assert len(file.read()) == KEY_BYTES
    assert (
        Vault(file.read()).open_secret("late", "", (await secrets.sealed("late"))[""]) == "sealed before, stored after"
    )
    await engine.dispose()


async def test_another_router_of_the_same_folder_goes_on_with_the_new_key(tmp_path: Path) -> None:
    Home(tmp_path).prepare()
    file = KeyFile(key_file(tmp_path))
    file.write(os.urandom(KEY_BYTES))
    here, there = Vault(file.read(), again=file.read), Vault(file.read(), again=file.read)
    file.write(os.urandom(KEY_BYTES) + file.read())
    sealed = here.seal_secret("a", "", "x")
    assert sealed[1:9] == cut(file.read())[0].id, "it sealed with the key before"
    assert there.open_secret("a", "", sealed) == "x"


async def test_a_value_from_before_keys_had_names_opens_and_is_sealed_anew(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with rig(home) as running:
        await put(running, "other")
        key = key_file(home).read_bytes()
    nonce = os.urandom(12)
    old = b"\x01" + nonce + AESGCM(key).encrypt(nonce, b"from before", secret_of("github-token", ""))
    engine = open_database(home / "router" / "router.db")
    await SecretStore(engine).put("github-token", "", old, 1)
    await engine.dispose()
    async with rig(home) as running:
        for _ in range(2):
            assert (await borrow(running, token(running, "github-token"))).json() == {"value": "from before"}
            assert (await rotate(running)).keys[0].values == 2


async def test_a_missing_key_is_not_made_anew_over_values_that_need_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with FakeProvider(key=KEY) as fake:
        async with rig(home, fake) as running:
            await put(running)
        kept = key_file(home).read_bytes()
        key_file(home).unlink()
        async with rig(home) as running:
            assert not key_file(home).exists()
            assert code(await running.chat()) == (503, "provider_unavailable")
            shut = await borrow(running, token(running, "github-token"))
            assert code(shut) == (503, "secret_unavailable")
            assert "vault.key is missing" in shut.text
            await refused(running, "keys/vault.key is missing, and 2 values")
            key_file(home).write_bytes(kept)
            key_file(home).chmod(0o600)
        async with rig(home) as running:
            assert (await running.chat()).status_code == 200


async def test_a_wrong_key_seals_nothing_until_what_it_does_not_open_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with FakeProvider(key=KEY) as fake:
        async with rig(home, fake) as running:
            await put(running)
            await put(running, owner="agents/a1")
        key_file(home).write_bytes(b"x" * KEY_BYTES)
        async with rig(home) as running:
            assert code(await borrow(running, token(running, "github-token"))) == (503, "secret_unavailable")
            assert (await status(running)).unknown == 3
            await refused(running, "keys/vault.key is not the key of 3 values, providers/fake among them")
            for owner in ("", "agents/a1"):
                gone = secrets_pb2.DeleteSecretRequest(name="secrets/github-token", owner=owner)
                await SecretServiceStub(running.channel).DeleteSecret(gone)
            await ProviderServiceStub(running.channel).DeleteProvider(
                providers_pb2.DeleteProviderRequest(name="providers/fake")
            )
            await put(running)
            await add(running, fake)
            assert (await borrow(running, token(running, "github-token"))).status_code == 200
            assert [key.values for key in (await rotate(running)).keys] == [2, 0]


async def refused(running: Rig, why: str) -> None:
    """See that nothing is sealed, and why."""
    provider = providers_pb2.Provider(name="providers/new", base_url="http://127.0.0.1:9/v1")
    asked = providers_pb2.CreateProviderRequest(provider=provider, key="a-key-of-it")
    for attempt in (put(running, "new"), rotate(running), ProviderServiceStub(running.channel).CreateProvider(asked)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await attempt
        told = from_rpc(caught.value)
        assert (caught.value.code(), told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "VAULT_SHUT")
        assert why in told.message
        assert "restore" in told.message
    assert why in (await status(running)).problem


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, b"x" * 32 * 9])
def test_a_damaged_key_file_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vault.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(HomeError, match="restore it from a backup"):
        KeyFile(path).read()


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    path.write_bytes(b"x" * 32)
    path.chmod(0o640)
    with pytest.raises(HomeError, match="chmod 600"):
        KeyFile(path).read()


async def test_many_rotations_in_a_row_lose_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path / "home") as running:
        await put(running, value="kept")
        for _ in range(10):
            assert len((await rotate(running)).keys) <= 8
            assert (await borrow(running, token(running, "github-token"))).json() == {"value": "kept"}


def test_every_sealed_column_is_known_to_the_rotation() -> None:
    sealed = {(table.name, column.name) for table in metadata.tables.values() for column in table.columns
              if column.name.startswith("sealed_")}  # fmt: skip
    assert sealed == {(place.table.name, place.column) for place in PLACES}


def test_a_value_sealed_under_one_key_does_not_open_under_anothers_name() -> None:
    first, second = os.urandom(32), os.urandom(32)
    sealed = Vault(first).seal_secret("a", "", "x")
    both = Vault(second + first)
    assert both.open_secret("a", "", sealed) == "x"
    renamed = sealed[:1] + cut(second)[0].id + sealed[9:]
    with pytest.raises(VaultError, match=r"vault\.key"):
        both.open_secret("a", "", renamed)


def test_the_keys_name_is_bound_to_what_it_sealed() -> None:
    key = os.urandom(32)
    sealed = Vault(key).seal_secret("a", "", "x")
    nonce, text = sealed[9:21], sealed[21:]
    name = b"\nkey " + cut(key)[0].id.hex().encode()
    assert AESGCM(key).decrypt(nonce, text, secret_of("a", "") + name) == b"x"
    with pytest.raises(InvalidTag):
        AESGCM(key).decrypt(nonce, text, secret_of("a", ""))
