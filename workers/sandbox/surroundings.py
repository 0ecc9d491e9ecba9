"""What processes of every sandbox find around them, whichever engine runs it: environment, small files, listeners."""

import socket
import sys
from pathlib import Path
from typing import Final

from workers.sandbox.spec import WORKSPACE, Spec

_BACKLOG: Final = 128


def runtime_folders() -> list[Path]:
    """Where running Python lives, if that is not in /usr, which is shown anyway."""
    prefix = Path(sys.base_prefix)
    return [] if prefix.is_relative_to("/usr") else [prefix]


def environment(spec: Spec) -> dict[str, str]:
    """Give what every process finds in its environment."""
    path = ["/usr/local/bin", "/usr/bin", "/bin", *(f"{folder}/bin" for folder in runtime_folders())]
    base = {"PATH": ":".join(path), "HOME": spec.home, "USER": "agent", "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108 - the sandbox's own
    return {**base, **spec.env}


def texts(uid: int) -> dict[str, str]:
    """Give the files of the root itself, by path without the first slash; `uid` is the agent's inside."""
    return {
        "etc/passwd": f"root:x:0:0::/:/usr/sbin/nologin\nagent:x:{uid}:{uid}::{WORKSPACE}:/bin/sh\n",
        "etc/group": f"root:x:0:\nagent:x:{uid}:\n",
        "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n127.0.0.2 inference.local\n",
        "etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }


def listen(spec: Spec) -> dict[str, socket.socket]:
    """Open the listeners, in the network of this process."""
    listeners: dict[str, socket.socket] = {}
    for name, address in spec.listeners.items():
        sock = listeners[name] = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    return listeners
