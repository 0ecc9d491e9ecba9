"""The engines that this machine runs, and a container engine's set-up of the tests' own."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
CONTAINERS = '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n{runtime}'
PROGRAMS = {"gvisor": "runsc", "container": "podman"}


@dataclass(frozen=True)
class Engines:
    """Which drivers can be tested here."""

    as_root: bool

    def need(self, driver: str) -> None:
        """Fail where a driver's program is missing: `make test` installs it. An ordinary user has the native one."""
        if driver == "native":
            return
        program = PROGRAMS[driver]
        if not shutil.which(program):
            pytest.fail(f"{program} is missing: install Debian's package, or run `make test`, which does")


def set_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """Keep the container engine's images and state in a folder of the tests."""
    runtime = 'runtime = "runc"\n' if shutil.which("runc", path="/usr/sbin:/usr/bin:/usr/local/bin") else ""
    (folder / "storage.conf").write_text(STORAGE.format(folder=folder))
    (folder / "containers.conf").write_text(CONTAINERS.format(runtime=runtime))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
    monkeypatch.setenv("CONTAINERS_CONF", str(folder / "containers.conf"))
    return Engines(as_root=os.geteuid() == 0)
