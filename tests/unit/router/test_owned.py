"""Secrets of one name under several owners, and those that nobody has to put."""

import time
from pathlib import Path

import grpc
import httpx
import pytest

from router.given import given
from router.options import RouterOptions
from signet.kit.auth import RunClaims, sign_run_token
from signet.kit.errors import from_rpc
from signet.kit.lifecycle import StartError
from signet.v1 import apis_pb2
from signet.v1 import secrets_pb2 as pb
from signet.v1.apis_pb2_grpc import ApiServiceStub
from signet.v1.secrets_pb2_grpc import SecretServiceStub
from tests.unit.router.rig import Rig, bearer, code, rig

NAME = "github-token"


async def put(running: Rig, owner: str, value: str) -> pb.Secret:
    """Store a secret."""
    request = pb.PutSecretRequest(secret=pb.Secret(name=f"secrets/{NAME}", owner=owner), value=value)
    return (await SecretServiceStub(running.channel).PutSecret(request)).secret


async def delete(running: Rig, owner: str) -> None:
    """Remove it."""
    request = pb.DeleteSecretRequest(name=f"secrets/{NAME}", owner=owner)
    await SecretServiceStub(running.channel).DeleteSecret(request)


async def listed(running: Rig, **fields: int) -> list[tuple[str, str, str]]:
    """Give all secrets with their owners and origins, however many there are on a page."""
    found: list[tuple[str, str, str]] = []
    token = ""
    while True:
        request = pb.ListSecretsRequest(page_token=token, **fields)
        answer = await SecretServiceStub(running.channel).ListSecrets(request)
        found += [(one.name, one.owner, pb.SecretOrigin.Name(one.origin)[14:]) for one in answer.secrets]
        token = answer.next_page_token
        if not token:
            return found


async def borrow(running: Rig, agent: str, user: str) -> httpx.Response:
    """Ask the door for it, for an agent and a user."""
    claims = RunClaims("", agent, "", (), 0, int(time.time()) + 60, (NAME,), user=user)
    signed = sign_run_token(running.home.key("run.key"), claims)
    return await running.door.post(f"/signet/v1/secrets/{NAME}", headers=bearer(signed))


async def test_the_nearest_owners_is_lent(tmp_path: Path) -> None:
    async with rig(tmp_path / "home") as running:
        for owner in ("", "agents/a1", "tokens/t1"):
            await put(running, owner, f"value({owner})")
        assert (await borrow(running, "agents/a1", "tokens/t1")).json() == {"value": "value(agents/a1)"}
        assert (await borrow(running, "agents/a2", "tokens/t1")).json() == {"value": "value(tokens/t1)"}
        assert (await borrow(running, "agents/a2", "tokens/t2")).json() == {"value": "value()"}
        assert (await borrow(running, "agents/a2", "")).json() == {"value": "value()"}
        await delete(running, "agents/a1")
        assert (await borrow(running, "agents/a1", "tokens/t1")).json() == {"value": "value(tokens/t1)"}
        await delete(running, "")
        assert code(await borrow(running, "agents/a1", "tokens/t2")) == (403, "secret_not_allowed")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await delete(running, "")
        assert from_rpc(caught.value).message.endswith("there is that of tokens/t1")
        assert await listed(running) == [(f"secrets/{NAME}", "tokens/t1", "STORED")]


async def test_a_use_is_written_down_where_it_was(tmp_path: Path) -> None:
    async with rig(tmp_path / "home") as running:
        for owner in ("", "agents/a1"):
            await put(running, owner, "x")
        await borrow(running, "agents/a1", "")
        answer = await SecretServiceStub(running.channel).ListSecrets(pb.ListSecretsRequest())
        assert [one.owner for one in answer.secrets if one.HasField("use_time")] == ["agents/a1"]


async def test_given_secrets_are_lent_listed_and_stored_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    (folder / "agents" / "a1").mkdir(parents=True)
    write(folder / "from-file", "in a file\n")
    write(folder / "agents" / "a1" / NAME, "in the agent's file")
    write(folder / "both", "in a file, too")
    (folder / ".hidden").mkdir()
    environment = {"SIGNET_SECRET_GITHUB_TOKEN": "in the environment", "SIGNET_SECRET_BOTH": "in both", "OTHER": "x"}
    async with rig(tmp_path / "home", environment=environment, secrets_folder=str(folder)) as running:
        assert (await borrow(running, "agents/a1", "")).json() == {"value": "in the agent's file"}
        assert (await borrow(running, "agents/a2", "")).json() == {"value": "in the environment"}
        await put(running, "agents/a2", "stored")
        expected = [
            ("secrets/both", "", "ENVIRONMENT"),
            ("secrets/from-file", "", "FILE"),
            (f"secrets/{NAME}", "", "ENVIRONMENT"),
            (f"secrets/{NAME}", "agents/a1", "FILE"),
            (f"secrets/{NAME}", "agents/a2", "STORED"),
        ]
        for size in (0, 1, 2):
            assert await listed(running, page_size=size) == expected
        for change in (put(running, "", "mine"), delete(running, "agents/a1")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await change
            assert from_rpc(caught.value).reason == "BUILT_IN"
    for path in (tmp_path / "home").rglob("*"):
        if path.is_file():
            assert b"in the environment" not in path.read_bytes()
            assert b"in the agent's file" not in path.read_bytes()


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file for its owner alone."""
    path.write_text(text)
    path.chmod(mode)


def test_all_that_is_wrong_with_given_secrets_is_said_without_a_value(tmp_path: Path) -> None:
    write(tmp_path / "open", "hush", 0o644)
    write(tmp_path / "Bad", "hush")
    write(tmp_path / "empty", "")
    write(tmp_path / "lines", "hush\nhush")
    write(tmp_path / "long", "h" * (64 << 10) + "h")
    (tmp_path / "latin").write_bytes(b"\xff")
    (tmp_path / "latin").chmod(0o600)
    (tmp_path / "folder").mkdir()
    (tmp_path / "agents" / "Bad").mkdir(parents=True)
    write(tmp_path / "agents" / "Bad" / "a", "hush")
    with pytest.raises(StartError) as caught:
        given({"SIGNET_SECRET_": "hush", "SIGNET_SECRET_A": "hu\0sh"}, str(tmp_path))
    told = str(caught.value)
    assert "hush" not in told
    for word in ("open can be read by others", "'Bad' is no name", "empty must be one line", "lines must be one line",
                 "long must be one line", "latin is not UTF-8", "folder is a folder", "agents/Bad/a: its owner",
                 "SIGNET_SECRET_: ''", "SIGNET_SECRET_A must be"):  # fmt: skip
        assert word in told, word


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"router\.secrets_folder .* cannot be read"):
        given({}, str(tmp_path / "gone"))
    with pytest.raises(ValueError, match="secrets_folder must be an absolute path"):
        RouterOptions(secrets_folder="secrets")
    assert given({}, "") == []
    assert "hush" not in repr(given({"SIGNET_SECRET_A": "hush"}, ""))


async def test_a_given_secret_serves_an_api(tmp_path: Path) -> None:
    async with rig(tmp_path / "home", environment={"SIGNET_SECRET_KEY": "given!value"}) as running:
        api = apis_pb2.Api(
            name="apis/x", base_url="https://api.example.org", secret="secrets/key", placement="header:x-key"
        )
        await ApiServiceStub(running.channel).PutApi(apis_pb2.PutApiRequest(api=api))
        api.secret = "secrets/other"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ApiServiceStub(running.channel).PutApi(apis_pb2.PutApiRequest(api=api))
        assert from_rpc(caught.value).reason == "SECRET_NOT_FOUND"
