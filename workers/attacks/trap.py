"""What the host plants for attacks to find, and how it sees that one has got to it."""

import asyncio
import ctypes
import os
import secrets
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from workers.attacks.attempt import libc, libc_word
from workers.attacks.bait import Bait
from workers.sandbox import linux, namespaces

LARGE_BYTES: Final = 4 << 20
"""How much the bait's folder holds: who counts it as part of a workspace has followed a link."""

_WATCHED: Final = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname")
# Where attacks mount something; the host itself may mount elsewhere meanwhile.
_MOUNTED_ON: Final = {"/", "/etc", "/usr", "/usr/bin", "/lib", "/mnt", "/srv", "/proc", "/workspace"}
_VICTIM_SECONDS: Final = "600"
_CREATE: Final = 0o1666
_PIECE: Final = 4096


class Trap:
    """Secrets and services on the host, and what happened to them. Made by `planted`.

    `secrets` are by where they were planted. Everything is on the loopback, in `folder` or in memory, and goes with
    the context.
    """

    def __init__(self, folder: Path, uid: int) -> None:
        self.folder = folder
        self.uid = uid
        self.token = f"signet-token-{secrets.token_hex(16)}"
        self.secrets: dict[str, str] = {}
        self.places: dict[str, Any] = {}
        self._effects: list[str] = []
        self._sockets: list[tuple[socket.socket, Callable[[], None]]] = []
        self._stack = ExitStack()
        self._victim: subprocess.Popen[bytes] | None = None
        self._terminal = -1
        self._before: Mapping[str, object] = {}

    @classmethod
    @contextmanager
    def planted(cls, folder: Path, uid: int) -> Iterator[Self]:
        """Plant everything in a folder, which is made; `uid` is the host's for the sandboxes."""
        folder.mkdir(mode=0o755)
        trap = cls(folder, uid)
        with trap._stack:
            trap._plant()
            yield trap

    def secret(self, where: str, kind: str = "secret") -> str:
        """Make a secret for a place, once; the kind `inside` is for what is in the attacked sandbox itself."""
        return self.secrets.setdefault(where, f"signet-{kind}-{secrets.token_hex(16)}")

    def bait(self, **more: Any) -> Bait:
        """Tell an attack where things are."""
        victim = self._victim.pid if self._victim else 0
        return Bait(token=self.token, host_uid=self.uid, host_pid=os.getpid(), victim=victim, **{**self.places, **more})

    def effects(self) -> list[str]:
        """Say what has happened since the last call, and mend it."""
        for _, seen in self._sockets:
            seen()
        if self._victim and self._victim.poll() is not None:
            self._effects.append(f"a process of the host ended with {self._victim.returncode}")
            self._start_victim()
        with suppress(BlockingIOError):
            if said := os.read(self._terminal, _PIECE):
                self._effects.append(f"a terminal of the host shows {said[:100]!r}")
        now = self._state()
        self._effects += [f"{what} changed" for what, value in now.items() if value != self._before[what]]
        self._before = now
        effects, self._effects = self._effects, []
        return effects

    def saw(self, effect: str) -> None:
        """Note an effect that somebody else has seen."""
        self._effects.append(effect)

    def _plant(self) -> None:
        secret_folder = self.folder / self.secret("the name of a folder")
        secret_folder.mkdir(mode=0o755)
        file = self.folder / "host-file"
        file.write_text(self.secret("a file"))
        file.chmod(0o644)
        (self.folder / "large").write_bytes(secrets.token_bytes(LARGE_BYTES))
        self.folder.chmod(0o755)
        self.places |= {"folder": str(self.folder), "file": str(file), "namespaces": namespaces.identities()}
        self.places["name_servers"] = _name_servers()
        self._plant_sockets()
        self._plant_memory()
        self._plant_inheritance()
        self._plant_terminal()
        self._start_victim()
        self._stack.callback(self._end_victim)
        self._before = self._state()

    def _plant_sockets(self) -> None:
        abstract = f"signet-{secrets.token_hex(8)}"
        stream, datagram = str(self.folder / "stream.sock"), str(self.folder / "datagram.sock")
        self.places |= {"stream": stream, "datagram": datagram, "abstract": abstract}
        self._listen("a service on 127.0.0.1", socket.AF_INET, ("127.0.0.1", 0), "port4")
        self._receive("a service on UDP 127.0.0.1", socket.AF_INET, ("127.0.0.1", 0), "udp4")
        with suppress(OSError):  # a host without IPv6
            self._listen("a service on ::1", socket.AF_INET6, ("::1", 0), "port6")
            self._receive("a service on UDP ::1", socket.AF_INET6, ("::1", 0), "udp6")
        self._listen("a unix socket", socket.AF_UNIX, stream)
        self._receive("a unix datagram socket", socket.AF_UNIX, datagram)
        self._listen("an abstract socket", socket.AF_UNIX, "\0" + abstract)
        self._receive("an abstract datagram socket", socket.AF_UNIX, f"\0{abstract}-datagram")

    def _listen(self, where: str, family: int, address: Any, place: str = "") -> None:
        secret = self.secret(where).encode()
        server = self._bound(socket.socket(family), address, place)
        server.listen()

        def seen() -> None:
            with suppress(BlockingIOError):
                while True:
                    with server.accept()[0] as peer, suppress(OSError):
                        peer.send(secret)
                        self._effects.append(f"{where} was connected to")

        self._attend(server, seen)

    def _receive(self, where: str, family: int, address: Any, place: str = "") -> None:
        secret = self.secret(where).encode()
        server = self._bound(socket.socket(family, socket.SOCK_DGRAM), address, place)

        def seen() -> None:
            with suppress(BlockingIOError):
                while True:
                    _, peer = server.recvfrom(_PIECE)
                    self._effects.append(f"{where} was sent to")
                    with suppress(OSError):
                        if peer:  # a unix socket need not have a name
                            server.sendto(secret, peer)

        self._attend(server, seen)

    def _bound(self, sock: socket.socket, address: Any, place: str) -> socket.socket:
        self._stack.enter_context(sock)
        sock.setblocking(False)
        sock.bind(address)
        if place:
            self.places[place] = sock.getsockname()[1]
        elif not address.startswith("\0"):
            Path(address).chmod(0o777)  # only that it cannot be seen protects it
        return sock

    def _attend(self, sock: socket.socket, seen: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(sock, seen)
        self._stack.callback(loop.remove_reader, sock)
        self._sockets.append((sock, seen))

    def _plant_memory(self) -> None:
        key = secrets.randbelow(1 << 30) + 1
        secret = self.secret("shared memory").encode()
        segment = libc("shmget", key, _PIECE, _CREATE)
        self._stack.callback(libc, "shmctl", segment, 0, None)
        address = libc_word("shmat", segment, 0, 0)
        ctypes.memmove(address, secret, len(secret))
        libc("shmdt", address)
        self.places["memory"] = key
        name = f"/signet-{secrets.token_hex(8)}"
        message = self.secret("a message queue").encode()
        mask = os.umask(0)
        with suppress(OSError):  # a host without them
            queue = libc("mq_open", name.encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
            self._stack.callback(libc, "mq_unlink", name.encode())
            libc("mq_send", queue, message, len(message), 0)
            os.close(queue)
        os.umask(mask)
        self.places["queue"] = name

    def _plant_inheritance(self) -> None:
        """Leave a descriptor open for whoever inherits it, and a secret in the environment."""
        fd = os.open(self.folder / "host-file", os.O_RDONLY)
        os.set_inheritable(fd, True)
        self._stack.callback(os.close, fd)
        os.environ["SIGNET_BAIT"] = self.secret("the worker's environment")
        self._stack.callback(os.environ.pop, "SIGNET_BAIT", None)

    def _plant_terminal(self) -> None:
        self._terminal, slave = os.openpty()
        self._stack.callback(os.close, self._terminal)
        self._stack.callback(os.close, slave)
        os.set_blocking(self._terminal, False)
        self.places["terminal"] = os.ttyname(slave)
        with suppress(OSError):
            Path(self.places["terminal"]).chmod(0o666)

    def _start_victim(self) -> None:
        """Start a process of the sandboxes' own host uid, so that only namespaces are between it and an attack."""
        secret = self.secret("a process")
        root = os.geteuid() == 0
        with (self.folder / "host-file").open("rb") as file:
            self._victim = subprocess.Popen(
                [f"sleep-{secret}", _VICTIM_SECONDS],
                executable="/bin/sleep",
                env={"SECRET": secret},
                stdin=file,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                user=self.uid if root else None,
                group=self.uid if root else None,
                extra_groups=[] if root else None,
                preexec_fn=_die_with_us,  # noqa: PLW1509 - one call, of nothing that another thread could hold
            )

    def _end_victim(self) -> None:
        if self._victim:
            self._victim.kill()
            self._victim.wait()

    def _state(self) -> Mapping[str, object]:
        """Look at what no attack may change."""
        found: dict[str, object] = {path: _text(path) for path in _WATCHED}
        lines = _text("/proc/self/mountinfo").splitlines()
        found["the host's mounts"] = [line for line in lines if line.split()[4] in _MOUNTED_ON]
        for name in ("host-file", "large"):
            seen = (self.folder / name).stat()
            found[f"a file of the host ({name})"] = (
                seen.st_mode,
                seen.st_uid,
                seen.st_size,
                seen.st_mtime,
                seen.st_nlink,
            )
        found["a folder of the host"] = sorted(path.name for path in self.folder.iterdir())
        found["the host's terminals"] = _terminals()
        program = Path("/proc/self/exe").stat()
        found["the host's Python"] = (program.st_size, program.st_mtime, stat.S_IMODE(program.st_mode))
        return found


def _die_with_us() -> None:
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)


def _terminals() -> bool:
    try:
        for fd in os.openpty():
            os.close(fd)
    except OSError:
        return False
    return True


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _name_servers() -> tuple[str, ...]:
    lines = [line.split() for line in _text("/etc/resolv.conf").splitlines()]
    return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")
