"""Another agent's sandbox on the same host, and what the host shares between processes."""

import ctypes
import fcntl
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack, Design
from workers.attacks.attempt import any_of, connect, hear, libc, libc_word, read
from workers.attacks.bait import Bait
from workers.attacks.neighbour import PORT, SHARED_KEY
from workers.attacks.neighbour import SIBLING as NAME


def files(bait: Bait) -> str:
    """Read a file in another agent's workspace by its path on the host."""
    return read(f"{bait.sibling}/{NAME}")


def files_beside(bait: Bait) -> str:
    """Read a file in another agent's workspace beside one's own."""
    name = Path(bait.sibling).name
    return any_of(read, (f"/workspace/../{name}/{NAME}", f"/proc/self/cwd/../{name}/{NAME}", f"/{name}/{NAME}"))


def temporary(bait: Bait) -> str:
    """Read what another agent keeps in /tmp."""
    return read(f"/tmp/{NAME}")


def shared_files(bait: Bait) -> str:
    """Read what another agent keeps in /dev/shm."""
    return read(f"/dev/shm/{NAME}")


def environment(bait: Bait) -> str:
    """Read the environment of another agent's process by its pid on the host."""
    return read(f"/proc/{bait.sibling_pid}/environ")


def any_environment(bait: Bait) -> str:
    """Read the environment of every process that is listed."""
    listed = [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in {1, bait.neighbour}]
    return any_of(lambda name: _strange(read(f"/proc/{name}/environ")), listed)


def signals(bait: Bait) -> str:
    """Kill another agent's process by its pid on the host."""
    os.kill(bait.sibling_pid, signal.SIGKILL)
    return "sent"


def port(bait: Bait) -> str:
    """Connect to a service of another agent on its loopback."""
    return hear(connect(socket.AF_INET, ("127.0.0.1", PORT)))


def abstract(bait: Bait) -> str:
    """Connect to another agent's abstract socket."""
    return hear(connect(socket.AF_UNIX, "\0" + NAME))


def path(bait: Bait) -> str:
    """Connect to a socket in another agent's workspace."""
    return hear(connect(socket.AF_UNIX, f"{bait.sibling}/{NAME}.sock"))


def shared_memory(bait: Bait) -> str:
    """Attach shared memory of another agent by its key."""
    return _attach(SHARED_KEY)


def host_memory(bait: Bait) -> str:
    """Attach shared memory of the host by its key."""
    return _attach(bait.memory)


def every_memory(bait: Bait) -> str:
    """Attach shared memory by its number, whatever its key."""
    return any_of(_contents, range(64))


def host_queue(bait: Bait) -> str:
    """Read a message from a queue of the host."""
    queue = libc("mq_open", bait.queue.encode(), os.O_RDONLY | os.O_NONBLOCK)
    buffer = ctypes.create_string_buffer(8192)
    libc("mq_receive", queue, buffer, 8192, None)
    return buffer.value.decode()


def lists(bait: Bait) -> str:
    """List the shared memory, semaphores and queues of others."""
    lines = [line for name in ("shm", "sem", "msg") for line in read(f"/proc/sysvipc/{name}").splitlines()]
    others = [line for line in lines if str(bait.memory) in line.split()]
    if not others:
        raise OSError("none but the sandbox's own")
    return others[0]


def same_agent(bait: Bait) -> str:
    """Read what another run of the same agent left in the workspace."""
    return read("/workspace/.left-by-another-run")


def lock(bait: Bait) -> str:
    """Lock the workspace of another agent, to halt it."""
    fd = os.open(bait.sibling, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return "locked"


def peer_by_netlink(bait: Bait) -> str:
    """Send to another process by its netlink address, which is its pid."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        message = struct.pack("=IHHII", 16, 0, 0, 0, 0)
        return f"sent {sock.sendto(message, (bait.sibling_pid, 0))} bytes"


def _attach(key: int) -> str:
    return _contents(libc("shmget", key, 0, 0))


def _contents(segment: int) -> str:
    address = libc_word("shmat", segment, 0, 0o10000)
    return ctypes.string_at(address, 64).decode(errors="replace")


def _strange(environment: str) -> str:
    if "SECRET=" not in environment:
        raise OSError("none with a secret")
    return environment


_AGENT: Final = "what another agent has or knows"

ATTACKS: Final = (
    Attack(files, _AGENT, "secret"),
    Attack(files_beside, _AGENT, "secret"),
    Attack(temporary, _AGENT, "secret"),
    Attack(shared_files, _AGENT, "secret"),
    Attack(environment, _AGENT, "secret"),
    Attack(any_environment, _AGENT, "secret"),
    Attack(signals, "another agent's run", "host"),
    Attack(port, _AGENT, "secret"),
    Attack(abstract, _AGENT, "secret"),
    Attack(path, _AGENT, "secret"),
    Attack(shared_memory, _AGENT, "secret"),
    Attack(host_memory, "what the host's processes share", "secret"),
    Attack(every_memory, "what the host's processes share", "secret"),
    Attack(host_queue, "what the host's processes say to one another", "secret"),
    Attack(lists, "who on the host shares what"),
    Attack(
        same_agent,
        "an earlier conversation of the same agent",
        "secret",
        design=Design("the workspace is the agent's, all its runs share it; two trusts need two agents"),
    ),
    Attack(lock, "another agent's run"),
    Attack(peer_by_netlink, _AGENT),
)
