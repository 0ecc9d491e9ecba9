"""The strict tier: nothing is executed that the sandbox can write."""

import os
from pathlib import Path

from tests.integration.sandbox.house import House, ask, run

SCRATCH = "/tmp"  # noqa: S108 - the sandbox's own
WAYS = {
    *("run", "run by a link", "run a script", "run by the loader", "run unlinked", "execveat unlinked", "map"),
    *("map, then protect", "preload"),
}


def data(house: House, uid: int | None) -> Path:
    folder = house.folder / "data"
    folder.mkdir()
    house.folder.chmod(0o755)
    if house.launcher.as_root and uid is not None:
        os.chown(folder, uid, uid)
    return folder


async def test_nothing_writable_is_executed_in_any_way(house: House) -> None:
    spec = house.spec(tier="strict")
    folder = data(house, spec.host_uid)
    spec = house.spec(tier="strict", host_uid=spec.host_uid, read_write=(folder,))
    async with await house.launcher.open(spec) as sandbox:
        folders = ("/workspace", SCRATCH, str(folder))
        found = await ask(sandbox, "executions", {"FOLDERS": ":".join(folders)})
    expected = {f"{way} {folder}" for way in WAYS for folder in folders}
    assert set(found) == {*expected, "memfd", "memfd_secret", "execute shared memory"}
    for what, outcome in found.items():
        assert outcome in {"EACCES", "EPERM"}, what


async def test_standard_executes_what_was_written_and_so_the_attempts_are_real(house: House) -> None:
    async with await house.open() as sandbox:
        found = await ask(sandbox, "executions", {"FOLDERS": f"/workspace:{SCRATCH}"})
    assert found.pop("memfd_secret") == "EPERM"
    assert found.pop("execute shared memory") == "EACCES"
    assert {what for what, outcome in found.items() if not outcome.startswith("succeeded")} == set()


async def test_every_writable_mount_is_noexec(house: House) -> None:
    async with await house.open(tier="strict") as sandbox:
        _, text = await run(sandbox, "cat /proc/self/mountinfo")
    for mount in map(str.split, text.splitlines()):
        options = mount[5].split(",")
        assert "ro" in options or "noexec" in options, mount[4]


async def test_programs_of_the_system_and_scripts_read_by_them_still_run(house: House) -> None:
    async with await house.open(tier="strict") as sandbox:
        line = "echo 'echo read by a shell' > script; sh script; python3 -c 'print(1)' || true; ls /usr/bin/env"
        code, text = await run(sandbox, line)
    assert code == 0
    assert text.startswith("read by a shell\n")


async def test_a_read_only_workspace_is_not_executed_either(house: House) -> None:
    spec = house.spec()
    async with await house.launcher.open(spec) as sandbox:
        assert await run(sandbox, "cp /bin/true t && ./t") == (0, "")
    strict = house.spec(tier="strict", workspace_mode="read-only", workspace=spec.workspace, host_uid=spec.host_uid)
    async with await house.launcher.open(strict) as sandbox:
        code, text = await run(sandbox, "./t")
    assert (code, "Permission denied" in text) == (126, True)
