"""What a sandbox of another engine is shown of the host: the same as a native one."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.sandbox import mounts
from workers.sandbox.spec import INSIDE_UID, WORKSPACE, Spec

_FOLDERS: Final = ("etc/signet", "proc", "dev", "tmp", "run/signet/workers", "sys", "var", "home", WORKSPACE[1:])


@dataclass(frozen=True, slots=True)
class Shown:
    """Paths inside and their sources outside, and the files and links of the root itself."""

    read_only: Mapping[str, str]
    read_write: Mapping[str, str]
    links: Mapping[str, str]
    texts: Mapping[str, str]
    python: str

    def write_root(self, folder: Path) -> None:
        """Write the root's folders, files and links, and a place for each path that is shown."""
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, text in self.texts.items():
            (folder / name).write_text(text)
        for name, target in self.links.items():
            (folder / name).symlink_to(target)
        for inside, source in {**self.read_only, **self.read_write}.items():
            place = folder / inside[1:]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.mkdir(exist_ok=True) if Path(source).is_dir() else place.touch()


def shown(spec: Spec) -> Shown:
    """Collect it for a spec."""
    system, _, links = mounts.host_view()
    base = Path(sys.base_prefix)
    runtime = [] if base.is_relative_to("/usr") else [base]
    read_only = {str(path): str(path) for path in (*system, *runtime, *spec.read_only)}
    read_only |= {f"/etc/signet/{name}": str(path) for name, path in spec.files.items()}
    read_write = {str(path): str(path) for path in spec.read_write}
    if spec.workspace_mode == "read-only":
        read_only[WORKSPACE] = str(spec.workspace)
    elif spec.workspace_mode == "read-write":
        read_write[WORKSPACE] = str(spec.workspace)
    return Shown(
        read_only=read_only,
        read_write=read_write,
        links=links,
        texts=_texts(spec.host_uid or INSIDE_UID),
        python=os.path.realpath(sys.executable),
    )


def environment(spec: Spec) -> dict[str, str]:
    """Give what every process finds in its environment."""
    base = Path(sys.base_prefix)
    path = ["/usr/local/bin", "/usr/bin", "/bin", *([] if base.is_relative_to("/usr") else [f"{base}/bin"])]
    home = WORKSPACE if spec.workspace_mode != "off" else "/tmp"  # noqa: S108 - the sandbox's own
    fixed = {"PATH": ":".join(path), "HOME": home, "USER": "agent", "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108 - as above
    return {**fixed, **spec.env}


def _texts(uid: int) -> dict[str, str]:
    return {
        "etc/passwd": f"root:x:0:0::/:/usr/sbin/nologin\nagent:x:{uid}:{uid}::{WORKSPACE}:/bin/sh\n",
        "etc/group": f"root:x:0:\nagent:x:{uid}:\n",
        "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n127.0.0.2 inference.local\n",
        "etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }
