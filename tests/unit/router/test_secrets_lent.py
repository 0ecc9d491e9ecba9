"""A secret goes in over gRPC, comes out at the door for a token that names it, and is to be seen nowhere else."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest

from router.vault import Vault, VaultError
from signet.kit import dial
from signet.kit.auth import RunClaims, sign_run_token
from signet.kit.errors import SignetError, from_rpc
from signet.v1 import secrets_pb2 as pb
from signet.v1.secrets_pb2_grpc import SecretServiceStub
from tests.unit.router.rig import OPERATOR, VIEWER, WORKER, Rig, bearer, code, rig

VALUE = 'ghp_planted-0123456789/with+signs"ü\\'


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home") as started:
        yield started


def token(running: Rig, *secrets: str, agent: str = "agents/a1", seconds: int = 600, key: bytes | None = None) -> str:
    """Sign a token as control does for sidecars: it is for no run and no model."""
    claims = RunClaims("", agent, "", (), 0, int(time.time()) + seconds, secrets)
    return sign_run_token(key or running.home.key("run.key"), claims)


async def put(running: Rig, name: str = "github-token", value: str = VALUE, owner: str = "") -> pb.Secret:
    """Store a secret."""
    request = pb.PutSecretRequest(secret=pb.Secret(name=f"secrets/{name}", owner=owner), value=value)
    return (await SecretServiceStub(running.channel).PutSecret(request)).secret


async def borrow(running: Rig, by: str, name: str = "github-token") -> httpx.Response:
    """Ask the door for a value."""
    return await running.door.post(f"/signet/v1/secrets/{name}", headers=bearer(by))


async def listed(running: Rig) -> list[pb.Secret]:
    """Give all secrets."""
    return list((await SecretServiceStub(running.channel).ListSecrets(pb.ListSecretsRequest())).secrets)


def error(caught: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> SignetError:
    """Give the error that a caller sees."""
    return from_rpc(caught.value)


async def test_a_token_that_names_a_secret_borrows_it_and_its_use_is_written_down(running: Rig) -> None:
    stored = await put(running)
    assert stored.name == "secrets/github-token"
    assert not stored.HasField("use_time")
    for name in ("github-token", "secrets/github-token"):
        answer = await borrow(running, token(running, name))
        assert (answer.status_code, answer.json()) == (200, {"value": VALUE})
    (known,) = await listed(running)
    assert known.use_time.ToMicroseconds() >= known.create_time.ToMicroseconds() > 0


async def test_nobody_else_borrows_it(running: Rig) -> None:
    await put(running)
    await put(running, "owned", owner="agents/a2")
    assert code(await borrow(running, token(running, "other"))) == (403, "secret_not_allowed")
    assert code(await borrow(running, token(running))) == (403, "secret_not_allowed")
    assert code(await borrow(running, token(running, "owned"), "owned")) == (403, "secret_not_allowed")
    assert (await borrow(running, token(running, "owned", agent="agents/a2"), "owned")).status_code == 200
    assert code(await borrow(running, running.run_token("fake/fake-small"))) == (403, "secret_not_allowed")
    assert code(await borrow(running, OPERATOR)) == (403, "secret_not_allowed")
    assert code(await borrow(running, VIEWER)) == (403, "unauthorized")
    assert code(await borrow(running, WORKER)) == (403, "unauthorized")
    assert code(await borrow(running, token(running, "github-token", seconds=-1))) == (401, "unauthorized")
    assert code(await borrow(running, token(running, "github-token", key=b"x" * 32))) == (401, "unauthorized")
    assert code(await running.door.post("/signet/v1/secrets/github-token")) == (401, "unauthorized")
    assert code(await borrow(running, token(running, "gone"), "gone")) == (404, "secret_not_found")
    answer = await running.door.get("/signet/v1/secrets/github-token", headers=bearer(token(running, "github-token")))
    assert code(answer) == (405, "invalid_request")
    assert [kept.name for kept in await listed(running) if kept.HasField("use_time")] == ["secrets/owned"]


async def test_a_token_for_secrets_asks_no_model(running: Rig) -> None:
    answer = await running.chat(token=token(running, "github-token"))
    assert answer.status_code in {403, 404}
    assert (await running.door.get("/v1/models", headers=bearer(token(running, "github-token")))).json()["data"] == []


async def test_a_planted_value_shows_up_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    async with rig(tmp_path / "home") as running:
        stub = SecretServiceStub(running.channel)
        seen += [str(await put(running)), str(await put(running, value=VALUE + "2")), str(await put(running))]
        assert (await borrow(running, token(running, "github-token"))).json() == {"value": VALUE}
        seen += [repr(one) for one in await listed(running)]
        for bad in (VALUE + "\n", VALUE * 3000):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await put(running, value=bad)
            seen.append(str(caught.value) + str(error(caught)))
        for by in (OPERATOR, token(running, "x"), "sgr_" + VALUE.encode("ascii", "ignore").decode()):
            seen.append((await borrow(running, by)).text)
        await stub.DeleteSecret(pb.DeleteSecretRequest(name="secrets/github-token"))
        seen.append((await borrow(running, token(running, "github-token"))).text)
        await put(running)
    (tmp_path / "home" / "keys" / "vault.key").write_bytes(b"x" * 32)
    async with rig(tmp_path / "home") as running:
        shut = await borrow(running, token(running, "github-token"))
        assert code(shut) == (503, "secret_unavailable")
        assert "vault.key" in shut.text
        seen.append(shut.text)
    captured = capfd.readouterr()
    assert '"secret_lent"' in captured.err
    seen += [captured.out, captured.err]
    seen += [path.read_bytes().decode("latin-1") for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [text for text in seen if "ghp_planted" in text]


@pytest.mark.parametrize(
    ("name", "owner", "value", "field"),
    [
        ("secrets/Bad", "", "x", "secret.name"),
        ("github", "", "x", "secret.name"),
        ("", "", "x", "secret.name"),
        ("secrets/a", "a1", "x", "secret.owner"),
        ("secrets/a", "", "", "value"),
        ("secrets/a", "", "a\nb", "value"),
        ("secrets/a", "", "a\r", "value"),
        ("secrets/a", "", "a\0b", "value"),
    ],
)
async def test_a_bad_secret_is_refused_by_field(running: Rig, name: str, owner: str, value: str, field: str) -> None:
    request = pb.PutSecretRequest(secret=pb.Secret(name=name, owner=owner), value=value)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await SecretServiceStub(running.channel).PutSecret(request)
    assert error(caught).reason == "INVALID_FIELD"
    assert [violation.field for violation in error(caught).violations] == [field]
    assert await listed(running) == []


async def test_a_value_has_a_greatest_size(running: Rig) -> None:
    await put(running, value="x" * (64 << 10))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await put(running, value="x" * ((64 << 10) + 1))
    assert error(caught).reason == "LIMIT_REACHED"


async def test_there_is_a_greatest_number_of_secrets_which_an_old_one_does_not_add_to(
    running: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.store.secrets.MAX_SECRETS", 2)
    await put(running, "a")
    await put(running, "b")
    await put(running, "b", "other")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await put(running, "c")
    assert error(caught).reason == "LIMIT_REACHED"


async def test_secrets_are_listed_by_name_a_page_at_a_time_to_viewers_too(running: Rig) -> None:
    for name in ("c", "a", "b"):
        await put(running, name)
    async with dial.channel(running.home.target("router.sock"), VIEWER) as channel:
        stub = SecretServiceStub(channel)
        first = await stub.ListSecrets(pb.ListSecretsRequest(page_size=2))
        rest = await stub.ListSecrets(pb.ListSecretsRequest(page_size=2, page_token=first.next_page_token))
        assert [one.name for one in [*first.secrets, *rest.secrets]] == ["secrets/a", "secrets/b", "secrets/c"]
        assert not rest.next_page_token
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PutSecret(pb.PutSecretRequest(secret=pb.Secret(name="secrets/d"), value="x"))
        assert error(caught).reason == "SCOPE_MISSING"


async def test_a_new_value_takes_the_place_of_the_old_at_once_and_survives_a_restart(tmp_path: Path) -> None:
    async with rig(tmp_path / "home") as running:
        before = await put(running, value="old")
        after = await put(running, value="new")
        assert after.create_time == before.create_time
        assert after.update_time.ToMicroseconds() >= before.update_time.ToMicroseconds()
        assert (await borrow(running, token(running, "github-token"))).json() == {"value": "new"}
    async with rig(tmp_path / "home") as running:
        assert (await borrow(running, token(running, "github-token"))).json() == {"value": "new"}


async def test_a_removed_secret_is_lent_no_more(running: Rig) -> None:
    await put(running)
    stub = SecretServiceStub(running.channel)
    await stub.DeleteSecret(pb.DeleteSecretRequest(name="secrets/github-token"))
    assert code(await borrow(running, token(running, "github-token"))) == (404, "secret_not_found")
    await put(running, "github-tokens")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.DeleteSecret(pb.DeleteSecretRequest(name="secrets/github-token"))
    assert error(caught).reason == "SECRET_NOT_FOUND"
    assert "Did you mean github-tokens" in error(caught).message


def test_a_sealed_secret_opens_under_its_own_name_and_owner_only() -> None:
    vault = Vault(b"k" * 32)
    sealed = vault.seal_secret("a", "agents/x", VALUE)
    assert vault.open_secret("a", "agents/x", sealed) == VALUE
    for other, name, owner in [
        (vault, "b", "agents/x"),
        (vault, "a", ""),
        (vault, "a", "agents/y"),
        (Vault(b"l" * 32), "a", "agents/x"),
    ]:
        with pytest.raises(VaultError, match=r"vault\.key"):
            other.open_secret(name, owner, sealed)


async def test_a_database_from_before_secrets_is_brought_up_to_date(tmp_path: Path) -> None:
    from router.store.migrate import migrate
    from signet.kit.home import Home

    home = Home(tmp_path / "home")
    home.prepare()
    migrate(home.router / "router.db", "0001")
    async with rig(tmp_path / "home") as running:
        await put(running)
        assert (await borrow(running, token(running, "github-token"))).status_code == 200
