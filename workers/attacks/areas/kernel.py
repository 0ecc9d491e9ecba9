"""The kernel's larger surfaces: keys, rings, programs, counters, other instruction sets, and its switches."""

import ctypes
import fcntl
import mmap
import os
import struct
from typing import Final

from workers.attacks.attack import Attack
from workers.attacks.attempt import first, forked, libc, libc_word, openable, read
from workers.attacks.bait import Bait
from workers.sandbox import linux

_SESSION: Final = -3
_USER: Final = -4
_X32: Final = 0x40000000
_PR_SET_MM: Final = 35
_LANDLOCK_READ: Final = 4


def key_ring(bait: Bait) -> str:
    """Read the session's key ring, which the kernel does not keep in a namespace."""
    return f"key {linux.call('keyctl', 0, _SESSION & (1 << 64) - 1, 0)}"


def new_key(bait: Bait) -> str:
    """Leave a key in the user's ring, where another sandbox of that user finds it."""
    payload = bait.token.encode()
    return f"key {linux.call('add_key', b'user', b'signet-attack', payload, len(payload), _USER & (1 << 64) - 1)}"


def request_key(bait: Bait) -> str:
    """Ask for a key, which may run a program of the host's root."""
    return f"key {linux.call('request_key', b'user', b'signet-attack', b'', _USER & (1 << 64) - 1)}"


def io_ring(bait: Bait) -> str:
    """Make an io_uring, whose calls no filter sees."""
    return f"ring {linux.call('io_uring_setup', 8, bytes(200))}"


def io_ring_register(bait: Bait) -> str:
    """Use a ring's other calls."""
    refusal: OSError | None = None
    for name in ("io_uring_enter", "io_uring_register"):
        try:
            linux.call(name, 0, 0, 0, 0, 0, 0)
        except OSError as error:
            if error.errno not in {1, 38}:
                return f"{name} got as far as {error}"
            refusal = error
    raise refusal or OSError("nothing tried")


def kernel_program(bait: Bait) -> str:
    """Load a program into the kernel, by bpf."""
    instructions = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0), 16)
    licence = ctypes.create_string_buffer(b"GPL")
    addresses = ctypes.addressof(instructions), ctypes.addressof(licence)
    attributes = struct.pack("=IIQQIIQII", 1, 2, *addresses, 0, 0, 0, 0, 0) + bytes(72)
    return f"program {linux.call('bpf', 5, attributes, len(attributes))}"


def kernel_map(bait: Bait) -> str:
    """Make a map of the kernel's programs, by bpf."""
    attributes = struct.pack("=IIIII", 2, 4, 64, 1, 0) + bytes(100)
    return f"map {linux.call('bpf', 0, attributes, len(attributes))}"


def counters(bait: Bait) -> str:
    """Count what other processes do, by perf."""
    attributes = struct.pack("=IIQ", 1, 112, 0) + bytes(96)
    return f"counter {linux.call('perf_event_open', attributes, 0, -1 & (1 << 64) - 1, -1 & (1 << 64) - 1, 0)}"


def page_faults(bait: Bait) -> str:
    """Hold the kernel still at a page fault, which wins races against it."""
    return first(
        [
            lambda: f"descriptor {linux.call('userfaultfd', os.O_CLOEXEC | 1)}",
            lambda: openable("/dev/userfaultfd", os.O_RDWR),
        ]
    )


def secret_memory(bait: Bait) -> str:
    """Take memory that even the kernel cannot read or swap."""
    return f"descriptor {linux.call('memfd_secret', 0)}"


def x32(bait: Bait) -> str:
    """Make calls by their x32 numbers, which a filter of 64-bit numbers does not know."""
    return forked(lambda: f"answered {libc_word('syscall', _X32 | 39)}")


def x32_trace(bait: Bait) -> str:
    """Trace by the x32 number of ptrace, which is another one."""
    return forked(lambda: f"answered {libc_word('syscall', _X32 | 521, 0, 0, 0, 0)}")


def int80(bait: Bait) -> str:
    """Make a 32-bit call from 64-bit code, whose numbers mean other calls."""
    # mov eax, 20 (getpid); int 0x80; ret
    return forked(lambda: f"process {_machine_code(bytes.fromhex('b814000000cd80c3'))}")


def int80_unshare(bait: Bait) -> str:
    """Unshare by the 32-bit number of the call."""
    # mov eax, 310 (unshare); mov ebx, CLONE_NEWUSER; int 0x80; ret
    code = bytes.fromhex("53b836010000bb00000010cd805bc3")

    def act() -> str:
        result = _machine_code(code)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return "in a new user namespace"

    return forked(act)


def personality(bait: Bait) -> str:
    """Switch off the random layout of memory."""
    return f"was {linux.call('personality', 0x0040000)}"


def local_descriptor_table(bait: Bait) -> str:
    """Change the processor's segments."""
    return f"answered {linux.call('modify_ldt', 0, bytes(64), 64)}"


def ports(bait: Bait) -> str:
    """Talk to the machine's devices through its ports."""
    return first([lambda: f"{linux.call('iopl', 3)}", lambda: f"{linux.call('ioperm', 0x80, 1, 1)}"])


def module(bait: Bait) -> str:
    """Load a module into the kernel."""
    return first(
        [
            lambda: f"{linux.call('finit_module', os.open('/dev/null', os.O_RDONLY), b'', 0)}",
            lambda: f"{linux.call('init_module', bytes(8), 8, b'')}",
        ]
    )


def another_kernel(bait: Bait) -> str:
    """Load another kernel to start."""
    return f"{linux.call('kexec_load', 0, 0, None, 0)}"


def kernel_log(bait: Bait) -> str:
    """Read the kernel's log by its call."""
    buffer = bytes(4096)
    return f"read {linux.call('syslog', 3, buffer, len(buffer))} bytes"


def account(bait: Bait) -> str:
    """Switch the accounting of processes off."""
    return f"{linux.call('acct', None)}"


def virtual_machine(bait: Bait) -> str:
    """Open the device of virtual machines."""
    return openable("/dev/kvm", os.O_RDWR)


def old_calls(bait: Bait) -> str:
    """Use calls that nothing has needed for twenty years."""
    for name in ("_sysctl", "uselib", "ustat", "sysfs", "lookup_dcookie", "nfsservctl"):
        try:
            result = linux.call(name, 0 if name != "sysfs" else 3, 0, 0)
        except OSError as error:
            refusal = error
            continue
        return f"{name} answered {result}"
    raise refusal


def memory_policy(bait: Bait) -> str:
    """Move the memory of other processes between nodes."""
    return first(
        [
            lambda: f"{linux.call('migrate_pages', 1, 64, bytes(8), bytes(8))}",
            lambda: f"{linux.call('set_mempolicy', 0, None, 0)}",
        ]
    )


def memory_map(bait: Bait) -> str:
    """Change what the kernel says is this process's program."""
    return f"{libc('prctl', _PR_SET_MM, 13, os.open('/usr/bin/env', os.O_RDONLY), 0, 0)}"


def undo_filter(bait: Bait) -> str:
    """Take the filter of system calls off."""
    linux.prctl(linux.PR_SET_SECCOMP, 0)
    return "off"


def answer_own_calls(bait: Bait) -> str:
    """Have a filter of one's own answer calls that the other one forbids."""
    program = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000), 8)  # allow everything
    head = struct.pack("HxxxxxxQ", 1, ctypes.addressof(program))

    def act() -> str:
        linux.prctl(linux.PR_SET_SECCOMP, 2, head)
        return f"allowed: {linux.call('io_uring_setup', 8, bytes(200))}"

    return forked(act)


def more_landlock(bait: Bait) -> str:
    """Lay another Landlock over the first, which allows everything."""

    def act() -> str:
        rules = linux.call("landlock_create_ruleset", struct.pack("Q", _LANDLOCK_READ), 8, 0)
        root = os.open("/", os.O_PATH)
        linux.call("landlock_add_rule", rules, 1, struct.pack("=Qi", _LANDLOCK_READ, root), 0)
        linux.call("landlock_restrict_self", rules, 0)
        return openable("/proc/self/mem", os.O_RDWR)

    return forked(act)


def page_zero(bait: Bait) -> str:
    """Map the lowest page, where a faulty kernel would look."""
    address = libc_word("mmap", 0, 4096, mmap.PROT_READ | mmap.PROT_WRITE, 0x32, -1, 0)
    return f"mapped at {address:#x}"


def randomness(bait: Bait) -> str:
    """Add to the machine's randomness and count it."""
    with open("/dev/urandom", "wb", buffering=0) as device:
        fcntl.ioctl(device, 0x40085203, struct.pack("ii4s", 8, 4, b"abcd"))  # RNDADDENTROPY
    return "counted"


def listed_keys(bait: Bait) -> str:
    """See the keys of every user of the machine."""
    found = [line for line in read("/proc/keys").splitlines() if line and "_uid" not in line and "_ses" not in line]
    if not found:
        raise OSError("no key is listed")
    return found[0]


def _machine_code(code: bytes) -> int:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


_SURFACE: Final = "a part of the kernel in which faults are found every year"
_MACHINE: Final = "the machine, whole"
_PAST: Final = "calls past the filter"

ATTACKS: Final = (
    Attack(key_ring, "keys of the user's other processes"),
    Attack(new_key, "a channel to another sandbox"),
    Attack(request_key, "a program of the host's root that is run"),
    Attack(io_ring, _PAST),
    Attack(io_ring_register, _PAST),
    Attack(kernel_program, _SURFACE),
    Attack(kernel_map, _SURFACE),
    Attack(counters, "what others compute, key by key"),
    Attack(page_faults, "races against the kernel"),
    Attack(secret_memory, "memory that is not accounted as others is"),
    Attack(x32, _PAST, needs=("x86_64",)),
    Attack(x32_trace, _PAST, needs=("x86_64",)),
    Attack(int80, _PAST, needs=("x86_64",)),
    Attack(int80_unshare, _PAST, needs=("x86_64",)),
    Attack(personality, "a layout of memory that is known"),
    Attack(local_descriptor_table, _SURFACE, needs=("x86_64",)),
    Attack(ports, _MACHINE, needs=("x86_64",)),
    Attack(module, _MACHINE),
    Attack(another_kernel, _MACHINE),
    Attack(kernel_log, "what is needed to exploit the kernel, and the host's doings"),
    Attack(account, "deeds of which nothing is written down"),
    Attack(virtual_machine, _SURFACE, needs=("kvm",)),
    Attack(old_calls, _SURFACE),
    Attack(memory_policy, _SURFACE),
    Attack(memory_map, "another identity in /proc"),
    Attack(undo_filter, _PAST),
    Attack(answer_own_calls, _PAST),
    Attack(more_landlock, "the files that the first one forbids"),
    Attack(page_zero, "a fault of the kernel made useful"),
    Attack(randomness, "keys of others that can be guessed"),
    Attack(listed_keys, "keys of the user's other processes"),
)
