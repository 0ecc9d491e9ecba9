"""The machine that figures were taken on, and what a tree of processes costs there."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED = 2  # of clock_getcpuclockid(3): what the scheduler gave a process, all of its threads


@dataclass(frozen=True)
class Machine:
    """What a reader needs to judge a figure."""

    cpu: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    load: float

    @classmethod
    def here(cls) -> "Machine":
        """Look at this one."""
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return cls(
            cpu=_cpu(),
            cores=len(os.sched_getaffinity(0)),
            memory_mib=pages >> 20,
            kernel=platform.release(),
            python=platform.python_version(),
            load=os.getloadavg()[0],
        )

    def summary(self) -> str:
        """Give it in a line."""
        return f"{self.cpu}, {self.cores} cores, {self.memory_mib >> 10} GiB, load {self.load:.1f}"


def tree(root: int) -> list[int]:
    """Give a process and its descendants, those in other pid namespaces too."""
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in _listed(Path(f"/proc/{pid}/task")):
            todo += [int(child) for child in _read(task / "children").split()]
    return found


def cpu_seconds(root: int) -> float:
    """Give the CPU time of a tree so far, user and system, with that of descendants that were waited for."""
    return sum(_cpu_ticks(pid) for pid in tree(root)) / _TICK


def cpu_clock(*roots: int) -> float:
    """Give the CPU time of trees so far, as `cpu_seconds`, to the nanosecond, but without processes that ended."""
    return sum(_process_clock(pid) for root in roots for pid in tree(root))


def busy_seconds() -> float:
    """Give the CPU time that all cores together have spent on anything at all since the machine started."""
    ticks = [int(value) for value in _read(Path("/proc/stat")).partition("\n")[0].split()[1:9]]
    user, nice, system, _idle, _waiting, irq, softirq, steal = ticks
    return (user + nice + system + irq + softirq + steal) / _TICK


def memory_mib(root: int) -> float:
    """Give the memory of a tree as PSS: pages that processes share count once."""
    return sum(_pss_kib(pid) for pid in tree(root)) / 1024


def _cpu_ticks(pid: int) -> int:
    _, _, rest = _read(Path(f"/proc/{pid}/stat")).rpartition(")")
    fields = rest.split()
    return sum(int(value) for value in fields[11:15])  # utime, stime, cutime, cstime: proc(5)


def _process_clock(pid: int) -> float:
    try:
        return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
    except OSError:
        return 0.0  # it ended meanwhile


def _pss_kib(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _cpu() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []  # it ended meanwhile


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it ended meanwhile
