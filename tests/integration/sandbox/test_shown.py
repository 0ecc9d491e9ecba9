"""What of the host a spec has shown: the workspace in its three ways, folders and files."""

import os
from pathlib import Path

from tests.integration.sandbox.house import House, refused, run
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.spec import Limits, Spec


def own(house: House, spec: Spec, name: str) -> Path:
    """Make a folder that belongs to the sandbox's user."""
    folder = house.folder / name
    folder.mkdir()
    house.folder.chmod(0o755)
    if house.launcher.as_root and spec.host_uid is not None:
        os.chown(folder, spec.host_uid, spec.host_uid)
    return folder


async def test_a_workspace_that_is_read_only_can_be_read_and_run_but_not_changed(house: House) -> None:
    spec = house.spec(workspace_mode="read-only")
    workspace = own(house, spec, spec.workspace.name)
    (workspace / "a").write_text("kept")
    async with await house.launcher.open(spec) as sandbox:
        code, text = await run(sandbox, "cat a; touch b; echo $HOME; pwd")
        assert (code, text.split()[0]) == (0, "kept" + "touch:")
        assert "Read-only" in text
        assert text.endswith("/workspace\n/workspace\n")
        assert sandbox.report.layer("workspace").detail == "read-only"
    assert [path.name for path in workspace.iterdir()] == ["a"]


async def test_without_a_workspace_nothing_of_it_is_seen_and_none_is_made(house: House) -> None:
    spec = house.spec(workspace_mode="off")
    async with await house.launcher.open(spec) as sandbox:
        code, text = await run(sandbox, "ls -A /workspace; touch /workspace/a; pwd; echo $HOME; touch a && ls")
        assert code == 0
        assert "Read-only" in text or "Permission denied" in text
        assert text.endswith("/tmp\n/tmp\na\n")  # noqa: S108 - what the sandbox says
    assert not spec.workspace.exists()


async def test_another_folder_can_be_written_and_the_report_says_so(house: House) -> None:
    spec = house.spec()
    data = own(house, spec, "data")
    async with await house.launcher.open(house.spec(host_uid=spec.host_uid, read_write=(data,))) as sandbox:
        assert await run(sandbox, f"echo kept > {data}/a && cp /bin/true {data}/t && {data}/t") == (0, "")
        assert str(data) in sandbox.report.layer("workspace").detail
    assert (data / "a").read_text() == "kept\n"


async def test_a_folder_that_cannot_be_written_though_it_should_is_refused(house: House) -> None:
    spec = house.spec()
    data = own(house, spec, "data")
    data.chmod(0o555)
    error = await refused(house.open(host_uid=spec.host_uid, read_write=(data,)), SandboxUnavailable)
    assert (error.layer, error.reason) == ("workspace", f"{data} is not writable: Permission denied.")


async def test_a_file_of_the_host_is_shown_read_only_and_changes_with_it(house: House) -> None:
    bundle = house.folder / "bundle"
    bundle.write_text("first")
    bundle.chmod(0o644)
    async with await house.open(files={"/etc/signet/ca.pem": bundle}) as sandbox:
        code, text = await run(sandbox, "cat /etc/signet/ca.pem; echo x > /etc/signet/ca.pem; ls -A /etc/signet")
        assert text.startswith("first")
        assert "Read-only" in text
        assert text.endswith("\nca.pem\n")
        assert code == 0
        bundle.write_text("second")
        assert await run(sandbox, "cat /etc/signet/ca.pem") == (0, "second")
    assert bundle.read_text() == "second"


async def test_what_is_shown_anyway_may_be_named(house: House) -> None:
    named = tuple(
        path for path in (Path("/usr/share"), Path("/bin"), Path("/lib"), Path("/etc/hostname")) if path.exists()
    )
    async with await house.open(read_only=named) as sandbox:
        assert (await run(sandbox, "ls /usr/share /bin/sh"))[0] == 0
        code, text = await run(sandbox, "cat /etc/passwd")
    assert (code, "agent" in text) == (0, True)


async def test_no_file_grows_over_the_disk_limit(house: House) -> None:
    async with await house.open(limits=Limits(disk_bytes=1 << 20)) as sandbox:
        assert (await run(sandbox, "exec head -c 2000000 /dev/zero > big"))[0] != 0
        assert await run(sandbox, "stat -c %s big") == (0, "1048576\n")


async def test_the_keys_of_the_hosts_user_are_not_named(house: House) -> None:
    async with await house.launcher.open(house.spec()) as sandbox:
        code, text = await run(sandbox, "cat /proc/keys /proc/key-users")
        assert (code, text.count("Permission denied"), len(text.splitlines())) == (1, 2, 2)
