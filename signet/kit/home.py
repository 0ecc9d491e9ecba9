"""The data folder of a fleet on one machine: what lies where, who may read it, which version laid it out."""

import fcntl
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from signet.kit.lifecycle import StartError

LAYOUT = 1
"""Version of the folder's layout; a newer one is refused."""

_SOCKET_PATH_BYTES = 100
"""A unix socket's path holds 107 bytes on Linux; the rest is for temporary names."""


class HomeError(StartError):
    """Raised when the data folder cannot be used; says which, why, and what to do."""


@dataclass(frozen=True)
class Home:
    """The data folder. Nothing is touched before `prepare`."""

    root: Path

    @classmethod
    def find(cls, flag: str | None = None) -> "Home":
        """Choose: the flag, else SIGNET_DATA, else XDG_DATA_HOME/signet, else ~/.local/share/signet."""
        chosen = flag or os.environ.get("SIGNET_DATA")
        if chosen:
            return cls(Path(chosen).expanduser().absolute())
        base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return cls(Path(base) / "signet")

    @property
    def config(self) -> Path:
        """Options of every process, YAML; may be missing."""
        return self.root / "config.yaml"

    @property
    def tokens(self) -> Path:
        """Folder of the local tokens' secrets."""
        return self.root / "tokens"

    @property
    def keys(self) -> Path:
        """Folder of the keys that processes share or keep."""
        return self.root / "keys"

    @property
    def control(self) -> Path:
        """Control's database and blobs."""
        return self.root / "control"

    @property
    def router(self) -> Path:
        """The router's database."""
        return self.root / "router"

    @property
    def workspaces(self) -> Path:
        """A folder per agent, writable by its sandbox."""
        return self.root / "worker" / "workspaces"

    @property
    def souls(self) -> Path:
        """The user's own souls, a folder each."""
        return self.root / "souls"

    @property
    def logs(self) -> Path:
        """A file per process."""
        return self.root / "logs"

    @property
    def sockets(self) -> Path:
        """Folder of the unix sockets: `run` inside, or a short one elsewhere where that path would be too long."""
        inside = self.root / "run"
        if len(os.fsencode(inside)) + len("/control.sock") <= _SOCKET_PATH_BYTES:
            return inside
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(base) / f"signet-{os.getuid()}-{digest}"

    def socket(self, name: str) -> Path:
        """Path of one socket, for example `control.sock`."""
        return self.sockets / name

    def target(self, name: str) -> str:
        """Give what a gRPC channel dials for one socket, for example `unix:/…/control.sock`."""
        return f"unix:{self.socket(name)}"

    def key(self, name: str) -> bytes:
        """Read a shared key of 32 bytes, made at its first use. Raises HomeError when it is damaged."""
        path = self.keys / name
        private(self.keys)
        if not path.exists():
            _publish(path, os.urandom(32))
        value = path.read_bytes()
        if len(value) != 32:  # noqa: PLR2004 - bytes of a key
            raise HomeError(f"{path} holds {len(value)} bytes, not the 32 of a key: restore it from a backup")
        return value

    def hold(self, process: str) -> int:
        """Be the only process of this name on this folder until the descriptor closes. Raises HomeError otherwise."""
        path = self.sockets / f"{process}.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise HomeError(
                f"{process} runs on {self.root} already (pid {holder}): see `signet status`, end it with `signet down`"
            ) from error
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        return lock

    def prepare(self) -> None:
        """Make the folders, private to their owner, and check whose they are and which version laid them out.

        Raises HomeError for a folder of somebody else, of a newer version, or that cannot be written.
        """
        private(self.root)
        version = self.root / "version"
        if version.exists():
            self._check_version(version.read_text(errors="replace").strip())
        else:
            _publish(version, f"{LAYOUT}\n".encode())
        for folder in (self.tokens, self.keys, self.control, self.router, self.souls, self.logs, self.sockets):
            private(folder)
        private(self.workspaces.parent)
        private(self.workspaces)

    def _check_version(self, found: str) -> None:
        if not found.isdecimal():
            raise HomeError(f"{self.root / 'version'} says {found!r}, which is no version: restore it from a backup")
        if int(found) > LAYOUT:
            raise HomeError(
                f"{self.root} was laid out by a newer Signet (layout {found}, this one knows {LAYOUT}): "
                "upgrade Signet, or choose another folder with --data"
            )


def private(folder: Path) -> None:
    """Make a folder with mode 0700, or see that it is ours. Raises HomeError otherwise."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise HomeError(f"cannot use {folder}: {error.strerror or error}. Choose another folder with --data") from error
    if status.st_uid != os.getuid():
        raise HomeError(
            f"{folder} belongs to user {status.st_uid}, and this is user {os.getuid()}: "
            "start Signet as its owner, or choose another folder with --data"
        )
    if status.st_mode & 0o077:
        folder.chmod(0o700)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file whole, mode 0600, durable when it returns."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def _publish(path: Path, content: bytes) -> None:
    """Write a file that several processes may make at once: the first one's content stays."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    write_private(draft, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
