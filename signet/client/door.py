"""The router's HTTP door of a fleet on this machine."""

import http.client
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from signet.client.fleet import Fleet
from signet.kit.errors import DeadlineExceeded, FailedPrecondition, Unavailable, invalid

_TARGET = re.compile(r"/[!-~]*")
_METHOD = re.compile(r"[A-Z]{1,16}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True)
class Answer:
    """What came back: the status, headers by lower-case name, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__("signet", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Door:
    """Asks as the fleet's caller. `timeout_seconds` bounds each wait."""

    def __init__(self, fleet: Fleet, timeout_seconds: float) -> None:
        self._fleet = fleet
        self._timeout_seconds = timeout_seconds

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request and read its answer; blocks. Raises as AsyncApis.call does."""
        _check(method, target, headers)
        if not self._fleet.local:
            raise FailedPrecondition(
                "ROUTER_UNAVAILABLE",
                "the door of a fleet elsewhere is not known here",
                hint="ask http://HOST:PORT/apis/… with `Authorization: Bearer TOKEN`; its PORT is router.door_port",
            )
        connection = _Unix(str(self._fleet.home.socket("door.sock")), self._timeout_seconds)
        try:
            sent = {**headers, "Authorization": f"Bearer {self._fleet.token}"}
            connection.request(method, target, body or None, sent)
            answer = connection.getresponse()
            known = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, known, answer.read())
        except TimeoutError as error:
            message = f"nothing came for {self._timeout_seconds:g} s"
            raise DeadlineExceeded("DEADLINE_EXCEEDED", message) from error
        except (OSError, http.client.HTTPException) as error:
            message = f"the router's door at {self._fleet.home.root} did not answer: {type(error).__name__}"
            raise Unavailable("ROUTER_UNAVAILABLE", message, hint="signet status") from error
        finally:
            connection.close()


def _check(method: str, target: str, headers: Mapping[str, str]) -> None:
    if not _METHOD.fullmatch(method):
        raise invalid(("method", "must be a word in capitals, as GET"))
    if not _TARGET.fullmatch(target):
        raise invalid(("path", "must be printable ASCII without spaces, the rest of it %-encoded"))
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in ("authorization", "host"):
            raise invalid(("headers", "must be names and values of one line; who calls is said already"))
