"""What a process in a sandbox may do."""

import os
from pathlib import Path

from tests.integration.sandbox.house import House, ask, run
from workers.sandbox.launcher import Launcher
from workers.sandbox.namespaces import identities
from workers.sandbox.spec import Command, Limits


async def test_calls_that_a_sandbox_has_no_business_with_are_refused(house: House) -> None:
    async with await house.open() as sandbox:
        found = await ask(sandbox, "calls")
    family = {"packet socket": "EAFNOSUPPORT", "vsock": "EAFNOSUPPORT", "clone3": "ENOSYS", "setuid": "EINVAL"}
    family |= dict.fromkeys(("multipath TCP", "ping"), "EPROTONOSUPPORT") | {"SCTP": "ESOCKTNOSUPPORT"}
    files = {
        "core of init",
        "environment of init",
        "descriptors of init",
        "root of init",
        "core_pattern",
        "sysrq",
        "mknod",
    }
    for what, outcome in found.items():
        if what == "sysrq" and outcome == "ENOENT":
            continue  # a kernel without it
        if what in files or what == "own memory":
            assert outcome == "EACCES", what
        else:
            assert outcome == family.get(what, "EPERM"), what


async def test_nothing_can_be_typed_into_a_terminal(house: House) -> None:
    async with await house.open() as sandbox:
        assert await ask(sandbox, "injection") == "EPERM"


async def test_calls_of_another_architecture_kill(house: House) -> None:
    async with await house.open() as sandbox:
        assert await ask(sandbox, "x32") == (-31 if os.uname().machine == "x86_64" else 0)


def owner_of(pid: int) -> int:
    return Path("/proc", str(pid)).stat().st_uid


def groups_of(pid: int) -> str:
    lines = Path("/proc", str(pid), "status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("Groups:"))


def open_files(pid: int) -> list[str]:
    return [str(path.readlink()) for path in Path("/proc", str(pid), "fd").iterdir()]


async def test_processes_are_nobody_on_the_host(house: House) -> None:
    spec = house.spec()
    async with await house.launcher.open(spec) as sandbox:
        found = await ask(sandbox, "identity")
        owner = owner_of(sandbox.pid)
    outside = spec.host_uid if house.launcher.as_root else os.geteuid()
    assert found["uid"] == found["gid"] == [1000] * 3
    assert found["map"] == ["1000", str(outside), "1"]
    assert owner in {0, outside}  # root, because pid 1 cannot be dumped
    assert set(found["capabilities"].values()) == {0}
    assert len(found["capabilities"]) == 5
    assert (found["no_new_privs"], found["seccomp"], found["dumpable"]) == ("1", "2", 0)
    assert found["host"] == spec.name


async def test_groups_of_root_are_given_up(house: House) -> None:
    if not house.launcher.as_root:  # an ordinary user cannot, and the report says whose uid it is
        return
    before = os.getgroups()
    os.setgroups([4, 27])
    try:
        async with await Launcher.start() as launcher, await launcher.open(house.spec()) as sandbox:
            assert groups_of(launcher.pid) == "4 27"
            assert groups_of(sandbox.pid) == ""
    finally:
        os.setgroups(before)


async def test_no_namespace_is_shared_with_the_host_or_another_sandbox(house: House) -> None:
    async with await house.open() as one, await house.open() as other:
        first, second = [(await ask(sandbox, "identity"))["namespaces"] for sandbox in (one, other)]
    for name, host in identities().items():
        assert len({host, first[name], second[name]}) == 3, name


async def test_limits_are_in_force_and_cannot_be_raised(house: House) -> None:
    limits = Limits(processes=20, open_files=200, address_space_bytes=1 << 30, file_bytes=1 << 20)
    async with await house.open(limits=limits) as sandbox:
        found = await ask(sandbox, "identity")
        assert found["limits"] == {
            "RLIMIT_CORE": [1, 1],
            "RLIMIT_NPROC": [20, 20],
            "RLIMIT_NOFILE": [200, 200],
            "RLIMIT_AS": [1 << 30, 1 << 30],
            "RLIMIT_FSIZE": [1 << 20, 1 << 20],
        }
        code, _ = await run(sandbox, "ulimit -n 300")
        assert code != 0


async def test_a_fork_bomb_is_bounded_and_harms_no_neighbour(house: House) -> None:
    async with await house.open(limits=Limits(processes=30)) as sandbox, await house.open() as other:
        forked = await ask(sandbox, "fork_until_refused")
        assert 20 <= forked < 30
        assert (await run(other, "true"))[0] == 0
        await sandbox.clear()
        assert (await run(sandbox, "true"))[0] == 0


async def test_the_report_says_that_every_layer_is_enforced(house: House) -> None:
    async with await house.open() as sandbox:
        states = {layer.name: layer.state for layer in sandbox.report.layers}
    assert states.pop("landlock") in {"enforced", "partial"}
    assert set(states.values()) == {"enforced"}
    assert set(states) == {
        *("user", "namespaces", "filesystem", "workspace", "network", "capabilities", "no_new_privs", "dumpable"),
        *("limits", "seccomp", "tier", "egress", "terminal"),
    }


async def test_the_report_tells_the_ways_out_the_rules_and_the_tier(house: House) -> None:
    listeners = {"inference": ("127.0.0.2", 80), "egress": ("127.0.0.1", 3128)}
    async with await house.open(listeners=listeners, tier="strict", bind_ports=(8642,)) as sandbox:
        details = {layer.name: layer.detail for layer in sandbox.report.layers}
    assert details["egress"] == "the only way out is 127.0.0.2:80 (inference), 127.0.0.1:3128 (egress)"
    assert details["tier"].startswith("strict: ")
    assert details["landlock"].startswith("ABI ")
    assert "write to /workspace, /tmp, /dev/shm; execute read-only trees alone" in details["landlock"]
    if sandbox.report.layer("landlock").state == "enforced":
        assert details["landlock"].endswith("connect to 80, 3128, 8642; bind 8642")
    assert "TIOCSTI" in details["terminal"]
    async with await house.open() as sandbox:
        assert sandbox.report.layer("egress").detail == "no way out"
        assert sandbox.report.layer("tier").detail.startswith("standard: ")


async def test_a_setuid_program_gains_nothing(house: House) -> None:
    async with await house.open() as sandbox:
        code, text = await run(sandbox, "cp /usr/bin/id me && chmod 6755 me && ./me -u; grep CapEff /proc/self/status")
    assert code == 0
    assert text.split() == ["1000", "CapEff:", "0000000000000000"]


async def test_pid_one_holds_nothing_of_the_host_open(house: House) -> None:
    async with await house.open(listeners={"inference": ("127.0.0.2", 80)}) as sandbox, await house.open():
        if not house.launcher.as_root:  # nobody else can look, which is as good
            return
        held = sorted(open_files(sandbox.pid))
    assert [name.partition(":")[0] for name in held] == ["/null"] * 3 + ["pipe"] * 2 + ["socket"]


async def test_nothing_of_the_worker_comes_along(house: House) -> None:
    os.environ["PLANTED_SECRET"] = "of the worker"
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        async with House.standing(house.folder) as fresh, await fresh.open(env={"GIVEN": "1"}) as sandbox:
            entry = await ask(sandbox, "surroundings", {"ALSO": "2"})
            code, text = await run(sandbox, Command(("ls", "/proc/self/fd")))
            _, env = await run(sandbox, "env")
            assert f"pipe:[{os.fstat(writer).st_ino}]" not in open_files(fresh.launcher.pid)
    finally:
        os.close(reader)
        os.close(writer)
        del os.environ["PLANTED_SECRET"]
    assert set(entry["env"]) == {"PATH", "HOME", "USER", "LANG", "TMPDIR", "GIVEN", "ALSO"}
    assert entry["fds"] == [0, 1, 2]
    assert entry["session"]
    assert entry["interrupt"]
    assert (code, text.split()) == (0, ["0", "1", "2", "3"])  # 3 is the folder being listed
    assert "of the worker" not in env
