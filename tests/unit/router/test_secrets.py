"""A provider's key is in no answer, no error, no log and no file, and goes to its provider only."""

import json
from pathlib import Path

import grpc
import pytest

from router.model import Spec
from router.vault import Vault, VaultError
from signet.v1 import providers_pb2 as pb
from signet.v1 import secrets_pb2
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from signet.v1.secrets_pb2_grpc import SecretServiceStub
from tests.fakes.provider import FakeProvider, Reply
from tests.unit.router.rig import add, code, events, rig

KEY = "sk-planted-0123456789abcdef/with+signs"


async def test_a_planted_key_shows_up_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    async with FakeProvider(key=KEY) as fake, rig(tmp_path / "home", fake) as running:
        stub = ProviderServiceStub(running.channel)
        assert (await running.chat()).status_code == 200
        assert fake.asked[-1].headers["authorization"] == f"Bearer {KEY}"
        echo = json.dumps({"error": {"message": f"bad key {KEY}"}})
        fake.queue(
            Reply(f"my key is {KEY}"),
            Reply(f"my key is {KEY}"),
            Reply(raw=echo, status=400),
            Reply(raw=echo, status=500),
            Reply(raw=f"key {KEY}"),
        )
        seen += [(await running.chat(stream=stream)).text for stream in (False, True, False, True, False)]
        fake.key = "another"  # from now on the fake refuses, and echoes what it was sent
        refused = await running.chat()
        assert code(refused) == (502, "provider_error")
        assert "[redacted]" in refused.text
        seen.append(refused.text)
        await stub.CheckProvider(pb.CheckProviderRequest(name="providers/fake"))
        seen.append(str(await stub.GetProvider(pb.GetProviderRequest(name="providers/fake"))))
        seen.append(str(await stub.ListProviders(pb.ListProvidersRequest())))
        seen.append(repr(running.app.fleet.provider("fake").spec))
    captured = capfd.readouterr()
    seen += [captured.out, captured.err]
    seen += [path.read_bytes().decode("latin-1") for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [text for text in seen if KEY in text]


async def test_a_key_that_is_said_in_pieces_or_by_another_provider_is_taken_out(tmp_path: Path) -> None:
    split = " ".join(KEY)
    async with FakeProvider(key=KEY) as fake, FakeProvider() as other, rig(tmp_path / "home", fake) as running:
        await add(running, other, "other")
        secret = secrets_pb2.Secret(name="secrets/a")
        await SecretServiceStub(running.channel).PutSecret(
            secrets_pb2.PutSecretRequest(secret=secret, value="hunter2!")
        )
        said = f"my key is {KEY}, yours is hunter2! and {split}"
        other.queue(Reply(said), Reply(said, letters=4), Reply(said, letters=1), Reply(raw=said, status=500))
        seen = [
            (await running.chat(model="other/fake-small", stream=stream)).text for stream in (False, True, True, False)
        ]
    texts = [json.loads(seen[0])["choices"][0]["message"]["content"], *map(told, seen[1:3])]
    for text in texts:
        assert KEY not in text
        assert "hunter2!" not in text
        assert text.count("[redacted]") == 2
        assert text.endswith(f" and {split}"), "what is no value is left"
    assert KEY not in seen[3]


def told(stream: str) -> str:
    """Put a stream's text together again."""
    found = [event for event in events(stream) if isinstance(event, dict) and event["choices"]]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in found)


async def test_a_bad_new_provider_is_refused_without_quoting_its_key(tmp_path: Path) -> None:
    async with rig(tmp_path / "home") as running:
        stub = ProviderServiceStub(running.channel)
        provider = pb.Provider(name="providers/Bad Name", base_url="ftp://x", models=[""])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.CreateProvider(pb.CreateProviderRequest(provider=provider, key=f"{KEY} with a space"))
        told = str(caught.value.details())
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        for field in ("provider.name", "provider.base_url", "provider.models", "key"):
            assert field in told
        assert KEY not in str(caught.value)


async def test_a_stored_key_is_used_again_after_a_restart(tmp_path: Path) -> None:
    async with FakeProvider(key=KEY) as fake:
        async with rig(tmp_path / "home", fake):
            pass
        async with rig(tmp_path / "home") as running:
            assert (await running.chat()).status_code == 200
            assert fake.asked[-1].headers["authorization"] == f"Bearer {KEY}"


async def test_a_lost_vault_key_makes_that_provider_unavailable_and_no_other(tmp_path: Path) -> None:
    async with FakeProvider(key=KEY) as fake, FakeProvider() as other:
        async with rig(tmp_path / "home", fake) as running:
            await add(running, other, "other")
        (tmp_path / "home" / "keys" / "vault.key").write_bytes(b"x" * 32)
        async with rig(tmp_path / "home") as running:
            answer = await running.chat()
            assert code(answer) == (503, "provider_unavailable")
            assert "vault.key" in answer.json()["error"]["message"]
            assert (await running.chat(model="other/fake-small")).status_code == 200


def test_key_files_are_private(tmp_path: Path) -> None:
    from signet.kit.home import Home

    home = Home(tmp_path / "home")
    home.prepare()
    home.key("vault.key")
    assert (home.keys / "vault.key").stat().st_mode & 0o777 == 0o600


def test_a_sealed_key_opens_for_its_provider_and_address_only() -> None:
    vault = Vault(b"k" * 32)
    spec = Spec(id="a", kind="OPENAI", base_url="https://a/v1")
    sealed = vault.seal(spec, KEY)
    assert vault.open(spec, sealed) == KEY
    assert KEY.encode() not in sealed
    assert vault.seal(spec, KEY) != sealed
    others = [
        (Vault(b"l" * 32), spec, sealed),
        (vault, Spec(id="b", kind="OPENAI", base_url="https://a/v1"), sealed),
        (vault, Spec(id="a", kind="OPENAI", base_url="https://evil/v1"), sealed),
        (vault, spec, sealed[:-1]),
        (vault, spec, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (vault, spec, b"\x03" + sealed[1:]),
        (vault, spec, b""),
    ]
    for other, bound, text in others:
        with pytest.raises(VaultError, match=r"vault\.key"):
            other.open(bound, text)


async def test_an_environments_key_is_used(tmp_path: Path) -> None:
    async with FakeProvider(key=KEY) as fake:
        environment = {"OPENAI_BASE_URL": fake.base_url, "OPENAI_API_KEY": KEY, "OPENAI_MODEL": "fake-large"}
        async with rig(tmp_path / "home", environment=environment) as running:
            await running.app.fleet.provider("openai").check()
            assert (await running.chat(model="default")).json()["model"] == "fake-large"
            assert running.app.fleet.default() == "openai/fake-large"
