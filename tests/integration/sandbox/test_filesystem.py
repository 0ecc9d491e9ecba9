"""What a sandbox sees and can change on disk."""

import os
from pathlib import Path

from tests.integration.sandbox.house import House, run
from workers.sandbox.spec import Limits

SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own


async def test_the_system_is_read_only(house: House) -> None:
    async with await house.open() as sandbox:
        for target in ("/", "/usr", "/usr/bin", "/etc", "/dev", "/var", "/run", "/home"):
            code, text = await run(sandbox, f"touch {target}/planted")
            assert code == 1, target
            assert "Read-only file system" in text or "Permission denied" in text
        code, text = await run(sandbox, "echo x >> /usr/bin/env; echo x >> /etc/passwd; rm /etc/hosts; chmod 777 /etc")
        assert "Read-only file system" in text
        assert code != 0


async def test_the_workspace_is_writable_and_outlives_the_sandbox(house: House) -> None:
    spec = house.spec()
    async with await house.launcher.open(spec) as sandbox:
        assert await run(sandbox, "mkdir notes && echo kept > notes/a && cp /bin/true t && ./t") == (0, "")
    assert (spec.workspace / "notes" / "a").read_text() == "kept\n"
    assert (spec.workspace / "notes" / "a").stat().st_uid == (spec.host_uid if house.launcher.as_root else os.geteuid())
    async with await house.launcher.open(spec) as sandbox:
        assert await run(sandbox, "cat notes/a; pwd; echo $HOME") == (0, "kept\n/workspace\n/workspace\n")


async def test_files_of_the_host_are_invisible(house: House) -> None:
    spec = house.spec()
    secret = house.folder / "secret"
    secret.write_text("of the host")
    spec.workspace.mkdir(mode=0o777)
    spec.workspace.chmod(0o777)
    (spec.workspace / "way").symlink_to(secret)
    async with await house.launcher.open(spec) as sandbox:
        for path in (
            secret,
            "way",
            "/etc/shadow",
            "/proc/1/root/etc/shadow",
            "../../etc/shadow",
            "/sys/kernel",
            "/boot",
        ):
            code, text = await run(sandbox, f"cat {path}")
            assert code == 1, text
            assert "of the host" not in text
        _, text = await run(sandbox, "ls -A / /tmp /var /run /home /dev/shm")
        assert house.folder.name not in text


async def test_the_folder_listing_of_the_root_is_ours(house: House) -> None:
    async with await house.open() as sandbox:
        _, text = await run(sandbox, "ls -A /")
    names = set(text.split()) - {Path(os.sys.base_prefix).parts[1]}  # type: ignore[attr-defined]
    ours = {
        "bin",
        "dev",
        "etc",
        "home",
        "lib",
        "lib32",
        "lib64",
        "proc",
        "run",
        "sbin",
        "tmp",
        "usr",
        "var",
        "workspace",
    }
    assert names <= ours


async def test_no_mount_lets_a_program_gain_anything(house: House) -> None:
    async with await house.open() as sandbox:
        _, text = await run(sandbox, "cat /proc/self/mountinfo")
    for mount in map(str.split, text.splitlines()):
        target, options = mount[4], mount[5].split(",")
        assert "nosuid" in options, target
        assert "nodev" in options or target.startswith("/dev/"), target


async def test_only_harmless_devices_are_there(house: House) -> None:
    async with await house.open() as sandbox:
        _, text = await run(sandbox, "ls /dev; echo x > /dev/null && head -c 4 /dev/urandom | wc -c")
    assert text.split() == [
        *(
            "fd",
            "full",
            "null",
            "ptmx",
            "pts",
            "random",
            "shm",
            "stderr",
            "stdin",
            "stdout",
            "tty",
            "urandom",
            "zero",
            "4",
        )
    ]


async def test_scratch_space_is_bounded_and_private(house: House) -> None:
    limits = Limits(tmp_bytes=1 << 20, shm_bytes=1 << 20)
    async with await house.open(limits=limits) as sandbox, await house.open(limits=limits) as other:
        for folder in SCRATCH:
            code, text = await run(sandbox, f"head -c 2000000 /dev/zero > {folder}/big")
            assert code == 1
            assert "No space left" in text
            assert await run(other, f"ls {folder}") == (0, "")
        code, text = await run(
            sandbox, "rm /tmp/big; i=0; while [ $i -lt 5000 ] && : > /tmp/$i; do i=$((i+1)); done; echo $i"
        )
        assert "No space left" in text


async def test_a_file_cannot_grow_without_bound(house: House) -> None:
    async with await house.open(limits=Limits(file_bytes=1 << 20)) as sandbox:
        code, _ = await run(sandbox, "exec head -c 2000000 /dev/zero > big")
        assert code != 0
        assert await run(sandbox, "stat -c %s big") == (0, "1048576\n")


async def test_another_folder_can_be_shown_read_only(house: House) -> None:
    shown = house.folder / "shown"
    shown.mkdir()
    (shown / "a").write_text("shown")
    house.folder.chmod(0o755)
    async with await house.open(read_only=(shown,)) as sandbox:
        code, text = await run(sandbox, f"cat {shown}/a; touch {shown}/b")
    assert text.startswith("shown")
    assert "Read-only" in text
    assert code == 1


async def test_an_agent_that_locks_itself_out_is_let_in_again(house: House) -> None:
    spec = house.spec()
    async with await house.launcher.open(spec) as sandbox:
        assert await run(sandbox, "chmod 000 /workspace") == (0, "")
        assert (await run(sandbox, "true", cwd="/usr"))[0] == 0
    async with await house.launcher.open(spec) as sandbox:
        assert await run(sandbox, "echo back > /workspace/a; chmod 000 /workspace") == (0, "")
        assert await run(sandbox, "cat a; chmod 000 /workspace") == (0, "back\n")
        await sandbox.clear()
        assert await run(sandbox, "cat /workspace/a", cwd="/usr") == (0, "back\n")


async def test_names_and_accounts_resolve(house: House) -> None:
    async with await house.open() as sandbox:
        _, text = await run(sandbox, "id -un; getent hosts inference.local; hostname; awk 'BEGIN { print 1 }'")
    assert text.split() == ["agent", "127.0.0.2", "inference.local", sandbox.name, "1"]
