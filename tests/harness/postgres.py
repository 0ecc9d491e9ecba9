"""A PostgreSQL of a test: a server of its own on a unix socket, which ends with the process that made it."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg

_PROGRAMS = Path("/usr/lib/postgresql")
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class NoPostgres(RuntimeError):
    """Raised where PostgreSQL's programs are not installed."""


class Postgres:
    """A server: `start`, `stop` and `start` again; its data stay until `close`.

    As root it runs as `postgres` or `nobody`, for it refuses to be root. `durable`: with the disk's own slowness.
    Whoever connects is believed, for only this test can reach its folder.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._settings = [] if durable else list(_QUICK)
        self._server: subprocess.Popen[bytes] | None = None
        self._made = 0
        if os.getuid() == 0:
            user = _user()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.folder.chmod(0o700)
        made = [*_as_user(), str(_program("initdb")), "-D", str(self.folder / "data"), "-U", "signet", "-A", "trust"]
        done = subprocess.run([*made, "-N", "-E", "UTF8", "--locale=C"], cwd="/", capture_output=True, check=False)
        if done.returncode:
            raise NoPostgres(done.stderr.decode(errors="replace"))

    def start(self) -> None:
        """Start it and return when it answers. Raises TimeoutError."""
        settings = [
            *self._settings,
            "listen_addresses=",
            f"unix_socket_directories={self.folder}",
            "max_connections=60",
        ]
        words = [word for setting in settings for word in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*_as_user(), str(_program("postgres")), "-D", str(self.folder / "data"), *words],
                cwd="/", stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        ready = [str(_program("pg_isready")), "-q", "-h", str(self.folder), "-t", "1"]
        for _ in range(int(_START_SECONDS * 20)):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(0.05)
        raise TimeoutError((self.folder / "log").read_text(errors="replace")[-2000:])

    def stop(self) -> None:
        """End it as a host that goes down does: connections are closed at once, and what was committed is there."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it without a word to anybody; its children follow."""
        self._end(signal.SIGQUIT)

    def freeze(self, *, still: bool) -> None:
        """Stop or continue the server and all that it does for connections: it neither answers nor hangs up."""
        server = self._server
        if server is None:
            raise RuntimeError("it does not run")
        number = signal.SIGSTOP if still else signal.SIGCONT
        for pid in (server.pid, *_children(server.pid)):
            os.kill(pid, number)

    def close(self) -> None:
        """End it and remove what it kept."""
        if self._server is not None:
            self._end(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """Give the address of a database."""
        return f"postgresql://signet@/{database}?host={self.folder}"

    async def database(self, template: str = "template1", *, name: str = "") -> str:
        """Make a database, empty or like another one, and give its address."""
        self._made += 1
        name = name or f"test{self._made}"
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        finally:
            await connection.close()
        return self.url(name)

    def _end(self, number: signal.Signals) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(ProcessLookupError):
                os.kill(server.pid, number)
            try:
                server.wait(_STOP_SECONDS)
            finally:
                server.kill()


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Run a server for as long as a context lasts."""
    server = Postgres(durable=durable)
    try:
        server.start()
        yield server
    finally:
        server.close()


async def ask(url: str, query: str, *given: object) -> list[tuple[object, ...]]:
    """Ask a database from outside."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row.values()) for row in await connection.fetch(query, *given)]
    finally:
        await connection.close()


def _program(name: str) -> Path:
    """Find the newest one."""
    found = sorted(_PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which(name)
    if not found and on_path is None:
        raise NoPostgres(f"{name} is not installed: apt install postgresql")
    return found[-1] if found else Path(str(on_path))


def _as_user() -> list[str]:
    """Give the words before a command that make it end with this process, and not be root."""
    words = ["setpriv", "--pdeathsig", "INT"]
    if os.getuid() != 0:
        return words
    user = _user()
    return [*words, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
