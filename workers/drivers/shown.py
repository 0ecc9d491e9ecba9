"""What a sandbox of another engine is shown of the host: the same as a native one."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.sandbox import mounts
from workers.sandbox.spec import INSIDE_UID, WORKSPACE, Spec
from workers.sandbox.surroundings import runtime_folders, texts

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
    read_only = {str(path): str(path) for path in (*system, *runtime_folders(), *spec.read_only)}
    read_only |= {inside: str(source) for inside, source in spec.files.items()}
    read_write = {str(path): str(path) for path in spec.read_write}
    if spec.workspace_mode == "read-only":
        read_only[WORKSPACE] = str(spec.workspace)
    elif spec.workspace_mode == "read-write":
        read_write[WORKSPACE] = str(spec.workspace)
    return Shown(
        read_only=read_only,
        read_write=read_write,
        links=links,
        texts=texts(spec.host_uid or INSIDE_UID),
        python=os.path.realpath(sys.executable),
    )
