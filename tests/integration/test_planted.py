"""Secrets are planted wherever the platform takes them, said back in every way, and looked for in every byte it wrote.

What may hold them: the variables and files that the test plants them in; of each token its own file in `tokens/`, which
is there to hold it; of the vault's key its own file.
"""

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from signet.up.memory import descendants, parents
from signet.v1 import runs_pb2
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.fakes.site import Asked, Site, plain, serving
from tests.harness.command import Done, signet
from tests.harness.fleet import Fleet
from workers.authority import Authority

HOST = "127.0.0.7"
PROVIDERS = "sk-planted-0a1b2c3d4e5f/the+providers"
ADDED = "sk-planted-9f8e7d6c5b4a-of-an-added-one"
STORED = "ghp-planted-77aa88bb99cc-stored"
OWNED = "ghp-planted-11dd22ee33ff-owned"
GIVEN = "env-planted-4455667788-given"
FILED = "file-planted-99887766-filed"
SHORT = "hu9ter2!"
VALUES = (PROVIDERS, ADDED, STORED, OWNED, GIVEN, FILED, SHORT)


def spellings(value: str) -> set[bytes]:
    """Give a value as a program might have written it."""
    plain_bytes = value.encode()
    found = {
        plain_bytes,
        plain_bytes.hex().encode(),
        plain_bytes.hex().upper().encode(),
        quote(value, safe="").encode(),
    }
    for offset in range(3):
        encoded = base64.b64encode(b"x" * offset + plain_bytes)
        inner = encoded[2 * offset if offset < 2 else 3 :][: (len(plain_bytes) * 8 - 10) // 6]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def echo(values: tuple[str, ...] = VALUES) -> str:
    """Write what a provider says that repeats all it knows, and more."""
    said = [f"{value} {base64.b64encode(value.encode()).decode()} {value.encode().hex()} {quote(value, safe='')}"
            for value in values]  # fmt: skip
    return f"I know {' and '.join(said)}. That is all."


@dataclass
class Planted:
    """A fleet in which every secret was planted, and all that was seen of it from outside."""

    fleet: Fleet
    fake: FakeProvider
    added: FakeProvider
    site: Site
    seen: dict[str, bytes] = field(default_factory=dict)

    async def cli(self, *words: str, given: str = "", code: int = 0) -> Done:
        """Call `signet` on this fleet, and keep what it says."""
        done = await signet(*words, environment={"SIGNET_DATA": str(self.fleet.home.root)}, given=given)
        assert done.code == code, (words, done.out, done.err)
        self.seen[f"signet {' '.join(words)} #{len(self.seen)}"] = (done.out + done.err).encode()
        return done

    async def run(self, text: str, agent: str = "assistant", model: str = "") -> runs_pb2.Run:
        """Have an agent run, and keep all that can be asked about it."""
        runs = self.fleet.client.runs
        run = await runs.create(agent, text, model=model)
        run = await runs.wait(run.name, timeout_seconds=60)
        events = [event async for event in runs.watch(run.name)]
        record = await runs.record(run.name)
        parts = (run, record, *events)
        self.seen[f"{run.name} {text[:40]}"] = b"".join(part.SerializeToString() + str(part).encode() for part in parts)
        self.processes()
        return run

    def processes(self) -> None:
        """Keep what can be seen of every process, and what those inherited that have nothing to do with secrets."""
        for pid in descendants(self.fleet.up.pid, parents()):
            words = shown(pid, "cmdline")
            self.seen[f"command line of {pid} #{len(self.seen)}"] = words
            if b"router" not in words:
                self.seen[f"environment of {pid} {words[-60:]!r} #{len(self.seen)}"] = shown(pid, "environ")


def shown(pid: int, name: str) -> bytes:
    """Read what the kernel tells of a process."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""  # it ended meanwhile


@pytest.fixture
async def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Planted]:
    authority = Authority.make(tmp_path / "roots.pem", "site")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "filed").write_text(FILED + "\n")
    (folder / "filed").chmod(0o600)
    given = {"OPENAI_API_KEY": PROVIDERS, "SIGNET_SECRET_GIVEN": GIVEN, "SIGNET_ROUTER_SECRETS_FOLDER": str(folder)}
    site = await Site(answer=repeat).start(serving(authority, tmp_path, HOST), host=HOST)
    async with (
        FakeProvider(key=PROVIDERS) as fake,
        FakeProvider(key=ADDED) as added,
        Fleet(provider=fake.base_url, model="fake-small", environment=given) as fleet,
    ):
        yield Planted(fleet, fake, added, site)
    await site.aclose()


def repeat(asked: Asked) -> bytes:
    """Answer with what was sent, in the head and in the body."""
    authorization = asked.headers.get("authorization", "")
    value = authorization.removeprefix("Bearer ")
    body = f"you sent {authorization} {base64.b64encode(value.encode()).decode()} {json.dumps(value)}\n".encode()
    return plain(body, f"x-sent: {authorization}")


async def test_no_byte_that_the_platform_wrote_holds_a_secret(planted: Planted) -> None:
    fleet, fake, home = planted.fleet, planted.fake, planted.fleet.home
    await put_in(planted)
    await said_back(planted)
    await sent_out(planted)
    await asked_from_outside(planted)
    await failed(planted)
    await planted.cli("vault", "rotate")
    await planted.cli("secret", "put", "stored", given=f"{STORED}\n")
    await fleet.kill("router", signal.SIGKILL)
    await fleet.back("router")
    await planted.run("after a crash")
    planted.processes()

    tokens = {path.name: path.read_text().strip() for path in home.tokens.iterdir()}
    keys = {path.name: path.read_bytes() for path in home.keys.iterdir()}
    written = await asyncio.to_thread(everything, home.root, fleet.folder)
    operator, vault = tokens["operator"], keys["vault.key"]
    assert fake.asked[-1].headers["authorization"] == f"Bearer {PROVIDERS}", "the key was used"
    looked = {**written, **planted.seen}
    for value in VALUES:
        assert found(value, looked) == []
    for name, token in tokens.items():
        assert found(token, {place: content for place, content in looked.items() if place != f"tokens/{name}"}) == []
    for form in {vault, vault.hex().encode(), base64.b64encode(vault)}:
        assert [place for place, content in looked.items() if form in content and place != "keys/vault.key"] == []
    assert found(operator, {"itself": f"x {operator}".encode()}) == ["itself"], "it is found where it is"
    assert [place for place, content in looked.items() if b"sgr_" in content] == []


def found(value: str, looked: Mapping[str, bytes]) -> list[str]:
    """Give where a value stands, in whatever form."""
    forms = spellings(value)
    return [place for place, content in looked.items() if any(form in content for form in forms)]


def everything(*folders: Path) -> dict[str, bytes]:
    """Read every file, those that only the kernel keeps (sockets) aside."""
    return {
        str(path.relative_to(folders[0])) if path.is_relative_to(folders[0]) else str(path): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


async def put_in(planted: Planted) -> None:
    """Plant what is not there from the start."""
    added = ("provider", "add", "added", planted.added.base_url, "--model", "fake-small")
    environment = {"SIGNET_DATA": str(planted.fleet.home.root), "ADDED_KEY": ADDED, "SHORT": SHORT}
    done = await signet(*added, "--key-env", "ADDED_KEY", environment=environment)
    assert done.code == 0, done.err
    await planted.cli("agent", "create", "walled")
    await planted.cli("secret", "put", "stored", given=f"{STORED}\n")
    await planted.cli("secret", "put", "stored", "--owner", "walled", given=OWNED)
    assert (await signet("secret", "put", "short", "--env", "SHORT", environment=environment)).code == 0
    for words in (("secret", "list"), ("provider", "list"), ("vault", "status"), ("token", "list"), ("status",)):
        for output in ((), ("-o", "json")):
            await planted.cli(*words, *output)
    await planted.cli("secret", "put", "bad name", given=STORED, code=2)
    await planted.cli("secret", "put", "given", given=STORED, code=6)


async def said_back(planted: Planted) -> None:
    """Have providers say everything, whole and in pieces, as text, as reasoning, and as a tool's arguments."""
    fake = planted.fake
    replies = [Reply(echo()), Reply(echo(), letters=1), Reply(echo(), letters=5), Reply(echo(), cut=7)]
    replies += [Reply("done", reasoning=echo()), Reply(echo(), headers={"x-key": PROVIDERS, "x-request-id": STORED})]
    for reply in replies:
        fake.queue(reply)
        run = await planted.run("say it")
        assert "[redacted]" in run.output or reply.text == "done", run.error
        assert "That is all." in run.output or reply.text == "done"
    planted.added.queue(Reply(echo(), letters=3))
    run = await planted.run("say it", model="added/fake-small")
    assert "[redacted]" in run.output, run.error
    await planted.run(f"CALL exec {json.dumps({'command': 'env; cat /proc/*/environ /proc/*/cmdline'})}")


async def sent_out(planted: Planted) -> None:
    """Have a run use a secret at a site that says it back."""
    site = planted.site
    policy = (
        f'version: 1\nnetwork:\n  site: {{endpoints: [{{host: "{HOST}", port: {site.port}, allowed_ips: [{HOST}]}}]}}\n'
        f'secrets:\n  site: {{secret: stored, env: SITE_TOKEN, host: "{HOST}", port: {site.port}}}\n'
    )
    await planted.fleet.client.policies.apply("walls", policy)
    await planted.fleet.client.agents.update("walled", policy="walls")
    command = f'curl -s -i -H "authorization: Bearer $SITE_TOKEN" https://{HOST}:{site.port}/'
    run = await planted.run(f"CALL exec {json.dumps({'command': command})}", agent="walled")
    assert "you sent" in run.output, run.error
    assert site.asked[-1].headers["authorization"] == f"Bearer {OWNED}", "the agent's own comes before everybody's"


async def failed(planted: Planted) -> None:
    """Have runs fail, their provider saying why with everything in it."""
    error = json.dumps({"error": {"message": echo(), "code": PROVIDERS, "type": STORED}})
    wrong = [
        Reply(raw=error, status=400),
        Reply(raw=error, status=401),
        Reply(raw=error, status=500),
        Reply(raw=echo()),
        Reply(echo(), fault=Fault.RESET),
        Reply(echo(), fault=Fault.ERROR_EVENT, letters=2),
        Reply(echo(), fault=Fault.HALF_EVENT, letters=2),
    ]
    for reply in wrong:
        planted.fake.queue(*[reply] * 4)
        await planted.run("fail")
        planted.fake.replies.clear()
    planted.fake.key = "another"  # from now on it refuses, and echoes what it was sent
    await planted.run("fail")
    await planted.cli("provider", "check", "openai", code=await code_of(planted, "provider", "check", "openai"))
    planted.fake.key = PROVIDERS


async def code_of(planted: Planted, *words: str) -> int:
    """Give how a command ends."""
    return (await signet(*words, environment={"SIGNET_DATA": str(planted.fleet.home.root)})).code


async def asked_from_outside(planted: Planted) -> None:
    """Ask the door as scripts do, well and badly."""
    home = planted.fleet.home
    token = (home.tokens / "operator").read_text().strip()
    transport = httpx.AsyncHTTPTransport(uds=str(home.socket("door.sock")))
    async with httpx.AsyncClient(transport=transport, base_url="http://door", timeout=30) as door:
        for number, by in enumerate((token, f"{token}x", STORED, "sgr_" + token)):
            for stream in (False, True):
                planted.fake.queue(*([Reply(echo(), letters=2)] if number == 0 else []))
                asked = {"model": "openai/fake-small", "messages": [{"role": "user", "content": "x"}], "stream": stream}
                answer = await door.post("/v1/chat/completions", json=asked, headers={"authorization": f"Bearer {by}"})
                planted.seen[f"door {number} {stream}"] = answer.content + str(answer.headers.raw).encode()
                assert answer.status_code == (200 if number == 0 else 401)
        answer = await door.post("/signet/v1/secrets/stored", headers={"authorization": f"Bearer {token}"})
        planted.seen["door lends"] = answer.content
    for words in (("runs", "list"), ("usage",), ("usage", "--calls"), ("secret", "list"), ("doctor",)):
        await planted.cli(*words, code=await code_of(planted, *words))
