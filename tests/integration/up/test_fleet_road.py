"""The whole road of a run, from `signet up` to a sealed record, on real programs."""

import json
import re
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from signet.up.memory import descendants, parents
from tests.contract.closure import installed
from tests.fakes.provider import FakeProvider
from tests.harness.command import signet
from tests.harness.fleet import Fleet

_NATIVE = re.compile(r"/site-packages/([^/.]+)[^ ]*[.]so")
DIGESTS = ("soul", "tools", "runtime", "model", "permissions")


def native(pid: int) -> set[str]:
    """Give the packages whose native modules a process and all below it have mapped."""
    family = descendants(pid, parents())
    return {name for one in family for name in _NATIVE.findall(_maps(one))}


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # what a run leaves behind ends after it


async def test_a_run_with_a_scripted_provider_calls_a_tool_and_is_sealed() -> None:
    async with FakeProvider() as fake, Fleet(provider=fake.base_url, model="fake-small") as fleet:
        run = await fleet.client.runs.create("assistant", 'CALL write_file {"path": "a.txt", "content": "sealed"}')
        run = await fleet.client.runs.wait(run.name, timeout_seconds=60)
        assert run.output.startswith("The tool said:"), run.error
        record = await fleet.client.runs.record(run.name)
        assert [call.tool for call in record.tool_calls] == ["write_file"]
        assert not record.tool_calls[0].is_error
        assert len(record.exchanges) == 2
        assert len(record.digest) == 64
        assert all(len(getattr(record.run.stamp, name)) == 64 for name in DIGESTS)
        assert [event.sequence for event in record.events] == list(range(1, len(record.events) + 1))
        workspace = fleet.home.workspaces / "assistant"
        assert (workspace / "a.txt").read_text() == "sealed"


async def test_the_embedded_model_greets_and_shows_a_real_tool_call_under_five_digests() -> None:
    async with Fleet(embedded=True) as fleet:
        data = ("--data", str(fleet.home.root), "-o", "json")
        hello = json.loads((await signet("run", "assistant", "Say hello", *data)).out)
        assert hello["state"] == "SUCCEEDED"
        assert hello["output"]
        assert hello["record"]["digest"] == hello["record_digest"] != ""
        listing = json.loads((await signet("run", "assistant", "List the files in your workspace", *data)).out)
        assert listing["state"] == "SUCCEEDED"
        assert [call["tool"] for call in listing["record"]["tool_calls"]] == ["list_files"]
        shown = json.loads((await signet("runs", "show", listing["name"], *data)).out)
        digests = {shown["stamp"][name] for name in DIGESTS}
        assert len(digests) == len(DIGESTS)
        assert all(len(digest) == 64 for digest in digests)


async def test_a_running_fleet_has_loaded_nothing_that_only_the_tests_install() -> None:
    """What happens to be there for the tests is missing after `make up`. Seen in what the kernel has mapped."""
    async with Fleet(embedded=True) as fleet:
        run = await fleet.client.runs.create("assistant", "List the files in your workspace")
        await fleet.client.runs.wait(run.name, timeout_seconds=60)
        loaded = native(fleet.up.pid)
    owners = packages_distributions()
    needed = {canonicalize_name(owner) for name in loaded for owner in owners.get(name, ())[:1]}
    assert {"grpcio", "xllamacpp", "sqlalchemy"} <= needed, "it was looked at"
    assert needed <= installed(Requirement("signet[embedded]"), set())
