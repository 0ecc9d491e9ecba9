"""The kernel's own files: of pid 1, of the host's processes, of the whole machine, and of the attacker itself."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack, Design, Missing
from workers.attacks.attempt import any_of, first, openable, read, write
from workers.attacks.bait import Bait

_NAMES: Final = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")


def init_environment(bait: Bait) -> str:
    """Read the environment of pid 1."""
    return f"read {len(read('/proc/1/environ'))} bytes"


def init_memory(bait: Bait) -> str:
    """Open the memory of pid 1."""
    return first([lambda: openable("/proc/1/mem", os.O_RDONLY), lambda: openable("/proc/1/mem", os.O_RDWR)])


def init_layout(bait: Bait) -> str:
    """Read where the memory of pid 1 is, its stack and its auxiliary vector."""
    return any_of(lambda name: _some(f"/proc/1/{name}"), ("maps", "auxv", "stack", "syscall", "smaps"))


def init_descriptors(bait: Bait) -> str:
    """List and open what pid 1 holds open, its control socket first."""
    held = sorted(os.listdir("/proc/1/fd"))
    return f"sees {', '.join(held)}" if held else _refuse("nothing is listed")


def init_root(bait: Bait) -> str:
    """Read a file of the host through the root of pid 1."""
    return read(f"/proc/1/root{bait.file}")


def init_folder(bait: Bait) -> str:
    """Look at the working folder and the program of pid 1."""
    return first([lambda: os.readlink("/proc/1/cwd"), lambda: os.readlink("/proc/1/exe")])


def init_namespaces(bait: Bait) -> str:
    """Hold a namespace of pid 1 open."""
    return openable("/proc/1/ns/net", os.O_RDONLY)


def host_environment(bait: Bait) -> str:
    """Read the environment of a process of the host by its pid."""
    return read(f"/proc/{bait.victim}/environ")


def host_command_lines(bait: Bait) -> str:
    """Read the command line of every process that is listed."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            found.append(read(f"/proc/{name}/cmdline"))
    return "; ".join(found)


def host_root(bait: Bait) -> str:
    """Read a file of the host through the root of any process that is listed."""
    processes = [name for name in os.listdir("/proc") if name.isdigit()]
    return any_of(lambda name: read(f"/proc/{name}/root{bait.file}"), processes)


def neighbour_environment(bait: Bait) -> str:
    """Read the environment of another process of the same sandbox."""
    if not bait.neighbour:
        raise Missing("no other process runs here")
    return read(f"/proc/{bait.neighbour}/environ")


def neighbour_memory(bait: Bait) -> str:
    """Write to the memory of another process of the same sandbox."""
    if not bait.neighbour:
        raise Missing("no other process runs here")
    return openable(f"/proc/{bait.neighbour}/mem", os.O_RDWR)


def own_memory(bait: Bait) -> str:
    """Write to one's own memory through /proc, past its page protections."""
    return openable("/proc/self/mem", os.O_RDWR)


def own_program(bait: Bait) -> str:
    """Open the running Python of the host to write to it, as a runc flaw once allowed."""
    return openable("/proc/self/exe", os.O_WRONLY)


def sysrq(bait: Bait) -> str:
    """Open the trigger which can crash or restart the machine."""
    return openable("/proc/sysrq-trigger")


def core_pattern(bait: Bait) -> str:
    """Open the name of the program that the host's root runs when something crashes."""
    return openable("/proc/sys/kernel/core_pattern")


def kernel_helpers(bait: Bait) -> str:
    """Open other names of programs that the kernel runs as root, and switches of its defences."""
    names = (
        "modprobe",
        "hotplug",
        "poweroff_cmd",
        "randomize_va_space",
        "yama/ptrace_scope",
        "unprivileged_bpf_disabled",
    )
    return any_of(lambda name: openable(f"/proc/sys/kernel/{name}"), names)


def network_settings(bait: Bait) -> str:
    """Change a setting of the network, such as which ports are privileged."""
    names = ("ip_unprivileged_port_start", "ip_forward", "ping_group_range")
    return any_of(lambda name: openable(f"/proc/sys/net/ipv4/{name}"), names)


def binary_formats(bait: Bait) -> str:
    """Register an interpreter for programs, which the host would run."""
    return openable("/proc/sys/fs/binfmt_misc/register")


def kernel_symbols(bait: Bait) -> str:
    """Read the addresses of the kernel's functions."""
    real = [line for line in read("/proc/kallsyms", 1 << 16).splitlines() if not line.startswith("0000000000000000")]
    return real[0] if real else _refuse("all addresses are zero")


def kernel_log(bait: Bait) -> str:
    """Read the kernel's log."""
    return first([lambda: openable("/proc/kmsg", os.O_RDONLY), lambda: openable("/dev/kmsg", os.O_RDONLY)])


def kernel_memory(bait: Bait) -> str:
    """Open the machine's memory."""
    paths = ("/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port")
    return any_of(lambda path: openable(path, os.O_RDONLY), paths)


def kernel_pages(bait: Bait) -> str:
    """Read which physical pages are whose, which helps to attack the memory chips."""
    return first([lambda: _some("/proc/kpageflags"), lambda: _some("/proc/kpagecount"), _frames])


def profiles(bait: Bait) -> str:
    """Read the kernel's debug and trace files."""
    paths = ("/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security")
    return any_of(lambda path: f"{path}: {os.listdir(path)}", paths)


def devices_of_the_host(bait: Bait) -> str:
    """Look at the host's devices and control groups in /sys."""
    return first([lambda: ", ".join(os.listdir("/sys/fs/cgroup")), lambda: ", ".join(os.listdir("/sys/block"))])


def identity_map(bait: Bait) -> str:
    """Become root of the host by another map of user ids."""
    return write("/proc/self/uid_map", f"0 0 1\n{1000} {bait.host_uid} 1\n")


def spared(bait: Bait) -> str:
    """Be the last that the kernel kills when memory runs out."""
    before = int(read("/proc/self/oom_score_adj"))
    write("/proc/self/oom_score_adj", str(max(-1000, before - 500)))
    return f"from {before} to {read('/proc/self/oom_score_adj')}"


def namespaces_are_the_hosts(bait: Bait) -> str:
    """Find a namespace shared with the host."""
    shared = [name for name in _NAMES if os.readlink(f"/proc/self/ns/{name}") == bait.namespaces[name]]
    return f"shares {', '.join(shared)}" if shared else _refuse("none is shared")


def host_paths(bait: Bait) -> str:
    """Read in the list of mounts where on the host the workspace is."""
    return next(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if " /workspace " in line)


def _some(path: str) -> str:
    text = read(path)
    return f"read {len(text)} characters of {path}" if text else _refuse(f"{path} is empty")


def _frames() -> str:
    fd = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    at = id(fd) // os.sysconf("SC_PAGE_SIZE") * 8
    entry = int.from_bytes(os.pread(fd, 8, at), "little") & ((1 << 55) - 1)
    os.close(fd)
    return f"page frame {entry:#x}" if entry else _refuse("page frames are hidden")


def _refuse(why: str) -> str:
    raise OSError(why)


_INIT: Final = "the process that every other is forked from, and its control socket"
_MACHINE: Final = "the machine, whole"

ATTACKS: Final = (
    Attack(init_environment, _INIT),
    Attack(init_memory, _INIT),
    Attack(init_layout, _INIT),
    Attack(init_descriptors, _INIT),
    Attack(init_root, "the host's files", "secret"),
    Attack(init_folder, "a handle on what pid 1 sees"),
    Attack(init_namespaces, "a handle on a namespace to enter"),
    Attack(host_environment, "the secrets of the host's processes", "secret"),
    Attack(host_command_lines, "the secrets of the host's processes", "secret"),
    Attack(host_root, "the host's files", "secret"),
    Attack(
        neighbour_environment,
        "what another tool of the same agent was given",
        "secret",
        design=Design(
            "processes of one sandbox are one user, and no secret enters it; in strict each tool has its own"
        ),
    ),
    Attack(neighbour_memory, "control over another tool of the same agent"),
    Attack(own_memory, "code that is written over code"),
    Attack(own_program, "every later start of that program on the host"),
    Attack(sysrq, _MACHINE),
    Attack(core_pattern, _MACHINE),
    Attack(kernel_helpers, _MACHINE),
    Attack(network_settings, "the rules of the sandbox's network"),
    Attack(binary_formats, _MACHINE),
    Attack(kernel_symbols, "what is needed to exploit the kernel"),
    Attack(kernel_log, "what is needed to exploit the kernel, and the host's doings"),
    Attack(kernel_memory, _MACHINE),
    Attack(kernel_pages, "what is needed to attack the memory chips"),
    Attack(profiles, "what is needed to exploit the kernel"),
    Attack(devices_of_the_host, "the host's devices and limits"),
    Attack(identity_map, "root of the host"),
    Attack(spared, "the host's other processes when memory runs out"),
    Attack(namespaces_are_the_hosts, "whatever is in it"),
    Attack(
        host_paths,
        "the name of a folder on the host",
        design=Design("the kernel tells every process where its mounts come from; a name opens nothing"),
    ),
)
