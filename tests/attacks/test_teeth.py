"""The suite can fail: where a layer is missing, or all of them, the attacks that it is there for win."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.attacks.conftest import as_user, lent
from workers.attacks.areas import everything
from workers.attacks.ground import PRELOAD, UID, Ground
from workers.attacks.runner import judge
from workers.attacks.trap import Trap
from workers.sandbox.launcher import Launcher

ATTACKS = {attack.name: attack for attack in everything()}

# What any process of an ordinary user may do on most hosts.
PLAIN = (
    *("network.loopback_v4", "network.loopback_zero", "network.udp_v4", "network.netlink_diag", "network.listen_v4"),
    *("network.receive_udp", "network.loopback_fastopen", "network.listen_unbound"),
    *("unix.stream", "unix.datagram", "unix.abstract", "unix.abstract_datagram"),
    *("proc.host_environment", "proc.host_command_lines", "proc.host_root", "proc.neighbour_environment"),
    *("proc.neighbour_memory", "proc.own_memory", "proc.namespaces_are_the_hosts"),
    *("processes.trace_child", "processes.read_neighbour", "processes.write_neighbour"),
    *("processes.take_from_host", "processes.take_from_neighbour", "processes.watch_host", "processes.limit_host"),
    *("processes.kill_host", "processes.kill_host_group", "processes.kill_host_thread", "processes.kill_host_queue"),
    *("processes.kill_by_descriptor", "processes.kill_by_terminal"),
    *("files.direct", "files.parents", "files.home_of_signet", "files.host_folders", "files.strange_devices"),
    *("siblings.host_memory", "siblings.host_queue", "siblings.lists"),
    *("kernel.personality", "privileges.lacks_ban", "inheritance.environment"),
)

LEGACY = Path("/proc/sys/dev/tty/legacy_tiocsti")
TYPING = not LEGACY.exists() or LEGACY.read_text().strip() == "1"
"""Whether this kernel itself lets programs type for the user."""

WEAK = {
    "seccomp": (
        "standard",
        *("kernel.personality", "kernel.int80", "processes.read_neighbour", "processes.write_neighbour"),
        *("processes.take_from_neighbour", "processes.trace_neighbour", "network.netlink_diag", "network.odd_families"),
        *(("terminal.type_in_given", "terminal.type_for_user") if TYPING else ()),
    ),
    "landlock": ("standard", "proc.own_memory", "proc.neighbour_memory", "network.listen_v4", "network.listen_unbound"),
    "landlock,noexec": ("strict", "execution.from_workspace", "execution.from_temporary", "execution.into_program"),
    "capabilities,seccomp": ("standard", "privileges.hold_capabilities", "namespaces.unshare_user"),
    "policy": (
        "standard",
        *("egress.other_host", "egress.other_port", "egress.plain_other_host", "egress.address", "egress.platform"),
        *("egress.name_to_loopback", "egress.mixed_name", "egress.other_program", "egress.name_as_message"),
        *(
            "egress.early_words",
            "requests.method",
            "requests.path",
            "requests.path_climbing",
            "requests.second_request",
        ),
    ),
    "lending": ("standard", "placeholders.other_path", "placeholders.other_header"),
    "limits": ("standard", "resources.descriptors", "resources.address_space", "resources.file_bytes"),
}
"""The layers that are taken away: the tier, and what then wins."""


def test_without_a_sandbox_they_win(user_python: str, user_root: Path) -> None:
    driver = str(user_root / "tests/attacks/plain.py")
    with lent(user=True) as folder:
        argv = as_user(user_python, "-I", driver, str(user_root), str(folder), *PLAIN)
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    states = json.loads(done.stdout)
    assert {name: state for name, state in states.items() if state[0] != "won"} == {}


@pytest.mark.parametrize("lacking", WEAK)
async def test_without_a_layer_those_it_is_there_for_win(lacking: str) -> None:
    tier, *names = WEAK[lacking]
    with lent(user=False) as folder, Trap.planted(folder / "host", UID) as trap:
        preload = (*PRELOAD, "tests.attacks.weak")
        async with (
            await Launcher.start(preload, env={"WEAK": lacking}) as launcher,
            Ground.opened(launcher, trap, tier, folder / "workspaces") as ground,
        ):
            results = [await judge(ground, ATTACKS[name]) for name in names]
    assert {one.attack.name: one.detail for one in results if one.state not in {"won", "by design"}} == {}
