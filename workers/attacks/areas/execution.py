"""Running what one wrote oneself: from files, memory and through other programs."""

import mmap
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack, Design, Missing
from workers.attacks.attempt import any_of, run
from workers.attacks.bait import Bait

_PROGRAM: Final = "/usr/bin/env"
_LIBRARIES: Final = ("libm.so.6", "libz.so.1", "libdl.so.2", "libpthread.so.0")
_FOLDERS: Final = ("/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/lib")


def from_workspace(bait: Bait) -> str:
    """Run a program that was written to the workspace."""
    return _from("/workspace")


def from_temporary(bait: Bait) -> str:
    """Run a program that was written to /tmp."""
    return _from("/tmp")


def from_shared_memory(bait: Bait) -> str:
    """Run a program that was written to /dev/shm."""
    return _from("/dev/shm")


def from_memory(bait: Bait) -> str:
    """Run a program that is in memory only, by memfd_create."""
    fd = os.memfd_create("attack")
    os.write(fd, Path(_PROGRAM).read_bytes())
    os.set_inheritable(fd, True)
    return _ran([f"/proc/self/fd/{fd}", "echo", "ran"])


def from_nameless_file(bait: Bait) -> str:
    """Run a program from a file of /tmp without a name."""
    fd = os.open("/tmp", os.O_TMPFILE | os.O_RDWR, 0o700)
    os.write(fd, Path(_PROGRAM).read_bytes())
    readable = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    os.close(fd)
    os.set_inheritable(readable, True)
    return _ran([f"/proc/self/fd/{readable}", "echo", "ran"])


def by_loader(bait: Bait) -> str:
    """Have the dynamic loader run a program of the workspace that may not be run itself."""
    with _copied("/workspace") as place:
        return any_of(lambda loader: _ran([loader, place, "echo", "ran"]), _loaders())


def by_interpreter(bait: Bait) -> str:
    """Have a shell run a script of the workspace."""
    place = Path(f"/workspace/.script-{os.getpid()}")
    place.write_text("echo ran\n")
    return _ran(["/bin/sh", str(place)])


def into_program(bait: Bait) -> str:
    """Put a library of one's own into a program that a policy allows, by LD_PRELOAD."""
    return _injected()


def into_program_by_path(bait: Bait) -> str:
    """Put a C library of one's own into a program that a policy allows, by LD_LIBRARY_PATH."""
    folder = Path(f"/workspace/.libraries-{os.getpid()}")
    folder.mkdir()
    shutil.copyfile(_find("libc.so.6") or _missing(), folder / "libc.so.6")
    said = run(["/bin/cat", "/proc/self/maps"], env={"LD_LIBRARY_PATH": str(folder)})
    return _mapped(said, str(folder)) or _refuse("it was not loaded")


def map_file(bait: Bait) -> str:
    """Map a file of the workspace as code."""
    code = mmap.PROT_READ | mmap.PROT_EXEC
    with _copied("/workspace") as place, open(place, "rb") as file:  # noqa: SIM117 - the map needs the file
        with mmap.mmap(file.fileno(), 4096, flags=mmap.MAP_PRIVATE, prot=code):
            return "mapped"


def map_memory(bait: Bait) -> str:
    """Write code to memory and run it there."""
    with mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC):
        return "mapped"


def _from(folder: str) -> str:
    with _copied(folder) as place:
        return _ran([place, "echo", "ran"])


@contextmanager
def _copied(folder: str) -> Iterator[str]:
    place = Path(folder, f".program-{os.getpid()}")
    place.write_bytes(Path(_PROGRAM).read_bytes())
    place.chmod(0o700)
    try:
        yield str(place)
    finally:
        place.unlink()


def _ran(argv: list[str]) -> str:
    said = run(argv)
    return "ran" if said.strip() == "ran" else _refuse(f"it said {said[:100]!r}")


def _injected() -> str:
    place = f"/workspace/.library-{os.getpid()}.so"
    shutil.copyfile(_library(), place)
    return _mapped(run(["/bin/cat", "/proc/self/maps"], env={"LD_PRELOAD": place}), place) or _refuse(
        "it was not loaded"
    )


def _mapped(maps: str, place: str) -> str:
    return next((line for line in maps.splitlines() if place in line and "r-xp" in line), "")


def _library() -> str:
    for name in _LIBRARIES:
        if found := _find(name):
            return found
    return _missing()


def _find(name: str) -> str:
    return next((str(path) for folder in _FOLDERS if (path := Path(folder, name)).exists()), "")


def _missing() -> str:
    raise Missing("no library to copy was found")


def _loaders() -> tuple[str, ...]:
    known = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1")
    found = tuple(path for path in known if Path(path).exists())
    if not found:
        raise Missing("no dynamic loader is where it is looked for")
    return found


def _refuse(why: str) -> str:
    raise OSError(why)


_OWN: Final = "the identity of a program that a policy allows, and tools that were never installed"
_STANDARD: Final = Design(
    "standard lets agents build and run programs; identity by program is attribution there, no boundary, and the "
    "network is bounded by the sandbox's own listeners: choose strict where programs have to be fixed",
    tiers=("standard", "gvisor", "container"),
)
_EVERYWHERE: Final = Design(
    "whoever may run an interpreter can run what it reads; it can do no more than the sandbox lets any program"
)

ATTACKS: Final = (
    Attack(from_workspace, _OWN, design=_STANDARD),
    Attack(from_temporary, _OWN, design=_STANDARD),
    Attack(from_shared_memory, _OWN),
    Attack(from_memory, _OWN, design=_STANDARD),
    Attack(from_nameless_file, _OWN, design=_STANDARD),
    Attack(by_loader, _OWN, design=_STANDARD),
    Attack(by_interpreter, "tools that were never installed", design=_EVERYWHERE),
    Attack(into_program, _OWN, design=_STANDARD),
    Attack(into_program_by_path, _OWN, design=_STANDARD),
    Attack(map_file, _OWN, design=_STANDARD),
    Attack(map_memory, "code that no file holds", design=_EVERYWHERE),
)
