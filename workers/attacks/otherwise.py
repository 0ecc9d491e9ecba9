"""What succeeds by design under other engines: gVisor, whose own kernel answers and loses, and container engines."""

from collections.abc import Mapping
from typing import Final

_PORTS: Final = "gVisor has no Landlock; the network is the sandbox's own, and nobody outside can reach a port in it"
_FIRST: Final = (
    "pid 1 there only carries the tunnel, as another user, and holds no secret: what it has is the sandbox's own"
)
_DEVICE: Final = "the device is gVisor's own, made of nothing; the host's is not there"
_COUNT: Final = "it is gVisor's memory and counted to no user of the host; where the host gives cgroups they bound it"
_ORDER: Final = "only gVisor's own kernel orders by it; on the host the engine's processes stay as they were started"

GVISOR: Final[Mapping[str, str]] = {
    "network.tunnel": _DEVICE,
    "network.listen_v4": _PORTS,
    "network.listen_v6": _PORTS,
    "network.listen_unbound": _PORTS,
    "network.listen_mptcp": _PORTS,
    "network.steal_port_everywhere": _PORTS,
    "proc.init_environment": _FIRST,
    "proc.init_layout": _FIRST,
    "proc.init_descriptors": _FIRST,
    "proc.init_namespaces": _FIRST,
    "proc.devices_of_the_host": "the /sys there is gVisor's own and shows nothing of the host",
    "proc.spared": _ORDER,
    "processes.priority": _ORDER,
    "mounts.user_file_system": _DEVICE,
    "files.host_folders": "/run/signet holds the worker's own sources, read-only, by which the tunnel is made",
    "files.strange_devices": _DEVICE,
    "files.lock_out": "the agent can spoil its own workspace; the next sandbox over it is made to own it again",
    "execution.from_shared_memory": "as in standard, agents may run what they write; here also in /dev/shm",
    "privileges.effective_setuid": "gVisor takes no heed of set-uid bits where no exec may gain privileges, as here",
    "privileges.readable_again": _FIRST,
    "kernel.int80": "gVisor ends the process, which is as good as a refusal",
    "resources.memory": _COUNT,
    "resources.memory_of_files": _COUNT,
    "resources.memory_of_segments": _COUNT,
    "resources.files": _COUNT,
    "resources.terminals": "the terminals are gVisor's own and none of the host's",
    "resources.message_queues": _COUNT,
}
"""Reasons by the attack's name."""

_SYS: Final = "a container engine shows the host's /sys, read-only and without what it holds secret: choose standard"
_WHOLE: Final = "the engine bounds memory as a whole, and its end may be the sandbox's own, which is then opened anew"

CONTAINER: Final[Mapping[str, str]] = {
    "proc.profiles": _SYS,
    "proc.devices_of_the_host": _SYS,
    "proc.namespaces_are_the_hosts": "an engine that runs as root gives containers no user namespace of their own",
    "files.host_folders": GVISOR["files.host_folders"],
    "files.strange_devices": "the engine mounts a /dev/mqueue of the container's own",
    "files.lock_out": GVISOR["files.lock_out"],
    "resources.memory": _WHOLE,
    "resources.memory_of_files": _WHOLE,
    "resources.memory_of_segments": _WHOLE,
    "resources.files": "the engine bounds the bytes of /tmp and, by them, its files: not their number",
    "resources.terminals": "the engine bounds no terminals; processes and their open files do: choose standard",
}
"""Reasons by the attack's name."""

OTHERWISE: Final[Mapping[str, Mapping[str, str]]] = {"gvisor": GVISOR, "container": CONTAINER}
"""Those, by tier."""
