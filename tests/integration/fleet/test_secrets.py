"""No secret enters a sandbox, an event, a log, an argv or an error message."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

from signet.up.memory import descendants, parents
from tests.fakes.provider import FakeProvider
from tests.harness.fleet import Fleet

KEY = "sk-planted-7c1e9b52d0f84a6e"
PRY = (
    "env; cat /proc/*/environ /proc/*/cmdline /proc/*/maps; ls -lR /proc/*/fd / --ignore=sys --ignore=usr; "
    "cat /etc/* /tmp/* /workspace/* /run/* /var/*"
)


def spied(pid: int) -> bytes:
    """Give what `ps e` would show of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it ended meanwhile


async def test_the_providers_key_and_every_token_stay_where_they_belong() -> None:
    async with FakeProvider(key=KEY) as fake:
        asked = {"OPENAI_API_KEY": KEY}
        async with Fleet(provider=fake.base_url, model="fake-small", environment=asked) as fleet:
            run = await fleet.client.runs.create("assistant", f"CALL exec {json.dumps({'command': PRY})}")
            run = await fleet.client.runs.wait(run.name, timeout_seconds=60)
            record = await fleet.client.runs.record(run.name)
            argvs = [spied(pid) for pid in descendants(fleet.up.pid, parents())]
            operator = (fleet.home.tokens / "operator").read_text().strip()
            kept = await asyncio.to_thread(written, fleet.home.root)
            said = fleet.up.said

    assert run.output.startswith("The tool said:"), run.error
    assert "HOME=/workspace" in record.tool_calls[0].result, "the sandbox was pried open for real"
    assert any(request.headers.get("authorization") == f"Bearer {KEY}" for request in fake.asked), "the key was used"
    for secret in (KEY, operator, "sgr_"):
        assert [path for path, content in kept.items() if secret.encode() in content] == []
        assert not any(secret.encode() in argv for argv in argvs)
        assert secret not in record.SerializeToString().decode(errors="replace")
        assert secret not in said


def written(root: Path) -> dict[str, bytes]:
    """Give every byte that the platform wrote, but for the files whose one purpose is to hold a secret."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and path.parent.name not in {"tokens", "keys"}:
            with suppress(FileNotFoundError):  # a running fleet also removes what it no longer needs
                found[str(path.relative_to(root))] = path.read_bytes()
    return found
