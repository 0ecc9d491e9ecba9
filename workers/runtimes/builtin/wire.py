"""One HTTP/1.1 request over a plain socket, read as it comes, each wait with a deadline.

`http.client` cannot go on reading after a time-out, and a reader that has to wake up to pass text on needs that.
"""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from workers.runtimes.builtin.failure import Busy, RunFailed

HEAD_BYTES = 64 * 1024
"""Most bytes of status line and headers, and of the line that begins a chunk."""
BODY_BYTES = 32 * 1024 * 1024
"""Most bytes of one answer."""
READ_BYTES = 65536


@dataclass(frozen=True)
class Deadlines:
    """Seconds that each wait may take."""

    connect: float = 5
    first_byte: float = 180
    idle: float = 60
    call: float = 900


@dataclass(frozen=True)
class Address:
    """Where the model is asked: `http://host[:port]/path`."""

    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, base_url: str) -> "Address":
        """Read a base address; only plain http is spoken inside a sandbox. Raises RunFailed."""
        try:
            parts = urlsplit(base_url)
            port = parts.port
        except ValueError as error:
            raise RunFailed("INTERNAL", f"The runtime was given a bad base_url, {base_url!r}: {error}.") from error
        if parts.scheme != "http" or not parts.hostname:
            raise RunFailed(
                "INTERNAL", f"The runtime was given base_url {base_url!r}; it has to be http://host[:port]/path."
            )
        return cls(parts.hostname, port or 80, parts.path.rstrip("/"))


class Connection:
    """One request and its answer. `post`, then `receive` until it says the end; `close` in any case."""

    def __init__(self, address: Address, deadlines: Deadlines) -> None:
        self.address = address
        self.deadlines = deadlines
        self.started = time.monotonic()
        self.socket: socket.socket | None = None
        self.buffer = bytearray()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body: Iterator[bytes | None] = iter(())
        self.seen = 0
        self.quiet = self.started
        self.wake: float | None = None

    def post(self, path: str, content: Mapping[str, Any]) -> None:
        """Send a JSON body and read the head of the answer. Raises Busy (nothing was begun) or RunFailed."""
        payload = json.dumps(content, separators=(",", ":")).encode()
        head = (
            f"POST {self.address.path}{path} HTTP/1.1\r\nhost: {self.address.host}:{self.address.port}\r\n"
            "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
            f"content-length: {len(payload)}\r\nconnection: close\r\n\r\n"
        )
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(self.deadlines.connect)
        try:  # not create_connection(): it imports a codec for names, and there is no name server inside anyway
            self.socket.connect((self.address.host, self.address.port))
        except OSError as error:
            raise Busy(f"The way to the model is closed ({error}).") from error
        try:
            self.socket.sendall(head.encode("latin-1") + payload)
        except OSError as error:
            raise broken(error) from error
        self.quiet = time.monotonic()
        self._head()

    def receive(self, wake: float | None) -> bytes | None:
        """Return the next bytes of the body, b"" at its end, or None when `wake` (time.monotonic) came first."""
        self.wake = wake
        try:
            chunk = next(self.body, b"")
        except EOFError as error:
            raise broken(error) from error
        if chunk:
            self.seen += len(chunk)
            if self.seen > BODY_BYTES:
                raise RunFailed("MODEL_ERROR", f"The model's answer passed {BODY_BYTES >> 20} MiB and was cut off.")
        return chunk

    def read_all(self) -> bytes:
        """Read the rest of the body."""
        return b"".join(iter(lambda: self.receive(None) or b"", b""))

    def close(self) -> None:
        """Drop the connection, which also stops a model that is still generating."""
        if self.socket is not None:
            self.socket.close()

    def _head(self) -> None:
        while True:
            lines = bytes(self._until(b"\r\n\r\n", self.deadlines.first_byte)).decode("latin-1").split("\r\n")
            version, _, rest = lines[0].partition(" ")
            code = rest[:3]
            if not version.startswith("HTTP/1.") or not code.isdigit():
                raise RunFailed("MODEL_ERROR", f"The model's side answered with no HTTP: {lines[0][:80]!r}.")
            self.status = int(code)
            if self.status >= 200:  # noqa: PLR2004 - below 200 the real answer is still to come
                break
        pairs = (line.partition(":") for line in lines[1:] if ":" in line)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.body = self._body()

    def _body(self) -> Iterator[bytes | None]:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        length = self.headers.get("content-length")
        if length is None:
            return self._rest()
        if not length.isdigit():
            raise RunFailed("MODEL_ERROR", f"The model's side sent a bad content-length, {length[:40]!r}.")
        return self._exactly(int(length))

    def _chunks(self) -> Iterator[bytes | None]:
        while True:
            while (end := self.buffer.find(b"\r\n")) < 0:
                if len(self.buffer) > HEAD_BYTES:
                    raise RunFailed("MODEL_ERROR", "The model's side sent garbage where a chunk begins.")
                if not self._more(self.deadlines.idle):
                    yield None
            size_text = bytes(self.buffer[:end]).partition(b";")[0].strip()
            del self.buffer[: end + 2]
            try:
                size = int(size_text, 16)
            except ValueError as error:
                raise RunFailed(
                    "MODEL_ERROR", f"The model's side sent a bad chunk size, {size_text[:40]!r}."
                ) from error
            if size == 0:
                return
            yield from self._exactly(size)
            while len(self.buffer) < len(b"\r\n"):
                if not self._more(self.deadlines.idle):
                    yield None
            del self.buffer[:2]

    def _exactly(self, size: int) -> Iterator[bytes | None]:
        while size > 0:
            while not self.buffer:
                if not self._more(self.deadlines.idle):
                    yield None
            piece = bytes(self.buffer[:size])
            del self.buffer[: len(piece)]
            size -= len(piece)
            yield piece

    def _rest(self) -> Iterator[bytes | None]:
        while True:
            if self.buffer:
                piece = bytes(self.buffer)
                self.buffer.clear()
                yield piece
            try:
                if not self._more(self.deadlines.idle):
                    yield None
            except EOFError:
                return

    def _until(self, mark: bytes, patience: float) -> bytearray:
        while (end := self.buffer.find(mark)) < 0:
            if len(self.buffer) > HEAD_BYTES:
                raise RunFailed("MODEL_ERROR", f"The model's side sent headers of more than {HEAD_BYTES >> 10} KiB.")
            try:
                self._more(patience)
            except EOFError as error:
                raise broken(error) from error
        head = self.buffer[:end]
        del self.buffer[: end + len(mark)]
        return head

    def _more(self, patience: float) -> bool:
        """Read once. False when `wake` came first; EOFError at the end of the connection."""
        if self.socket is None:
            raise EOFError
        limit = min(self.quiet + patience, self.started + self.deadlines.call)
        whole_call = limit < self.quiet + patience
        if time.monotonic() >= limit:  # also where data never stops coming
            raise late(self.deadlines.call if whole_call else patience)
        until = limit if self.wake is None else min(limit, self.wake)
        self.socket.settimeout(max(until - time.monotonic(), 0.0001))
        try:
            chunk = self.socket.recv(READ_BYTES)
        except TimeoutError as error:
            if time.monotonic() < limit:
                return False
            raise late(self.deadlines.call if whole_call else patience) from error
        except OSError as error:
            raise broken(error) from error
        if not chunk:
            raise EOFError
        self.quiet = time.monotonic()
        self.buffer += chunk
        return True


def broken(error: Exception) -> RunFailed:
    """Say that the connection ended too early."""
    why = f" ({error})" if str(error) else ""
    return RunFailed("MODEL_UNAVAILABLE", f"The connection to the model broke off{why}. Run it again.")


def late(seconds: float) -> RunFailed:
    """Say that a wait was too long."""
    return RunFailed(
        "MODEL_UNAVAILABLE",
        f"The model did not answer within {seconds:g} s. It may be overloaded: run it again, or give the agent "
        "another model.",
    )
