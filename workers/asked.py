"""What a person asks for in a sandbox, read from the wire: a command, a shell, or a folder in or out as tar."""

from dataclasses import dataclass, field

from signet.v1 import sandboxes_pb2
from workers.sandbox.spec import Command, Entry
from workers.sandbox.terminal import Terminal

ARCHIVE = Entry("workers.tools.archive:main")
SHELLS = ("/bin/bash", "/bin/sh")
"""What is run where no command is named, the first that is there."""
MOST_SECONDS = 86_400
MOST_SIZE = 1000
_TERM = "xterm-256color"


class Refused(Exception):
    """It cannot be run. `reason` is an ErrorReason without its prefix."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run: each of `choices` until one is there; with pipes, or on a terminal."""

    choices: tuple[Command | Entry, ...]
    env: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    terminal: Terminal | None = None
    seconds: int | None = None


def read(start: sandboxes_pb2.ExecStart) -> Order:
    """Read what a caller asks for. Raises Refused."""
    kind = start.WhichOneof("what")
    if kind == "pack":
        return Order((ARCHIVE,), {"SIGNET_ARCHIVE": "pack", "SIGNET_ARCHIVE_PATH": _path(start.pack)})
    if kind == "unpack":
        return Order((ARCHIVE,), {"SIGNET_ARCHIVE": "unpack", "SIGNET_ARCHIVE_PATH": _path(start.unpack)})
    if kind != "command":
        raise Refused("INVALID_FIELD", "start: one of `command`, `unpack` and `pack` is needed")
    return _command(start.command)


def _command(asked: sandboxes_pb2.ExecCommand) -> Order:
    if not 0 <= asked.max_seconds <= MOST_SECONDS:
        raise Refused("INVALID_FIELD", f"max_seconds: must be 0 to {MOST_SECONDS}, not {asked.max_seconds}")
    for name, value in asked.env.items():
        if not name or "=" in name or "\0" in name + value:
            raise Refused("INVALID_FIELD", f"env: {name[:100]!r} is no variable")
    env = dict(asked.env)
    terminal = None
    if asked.HasField("terminal"):
        terminal = size(asked.terminal)
        env.setdefault("TERM", _TERM)
    try:
        choices = (Command(tuple(asked.argv)),) if asked.argv else tuple(Command((shell,)) for shell in SHELLS)
    except ValueError as error:
        raise Refused("INVALID_FIELD", f"argv: {error}") from error
    return Order(choices, env, _path(asked.folder), terminal, asked.max_seconds or None)


def _path(text: str) -> str:
    if "\0" in text:
        raise Refused("INVALID_FIELD", "a path may not have a NUL in it")
    return text


def size(asked: sandboxes_pb2.TerminalSize) -> Terminal:
    """Read a terminal's size. Raises Refused."""
    if not (1 <= asked.rows <= MOST_SIZE and 1 <= asked.columns <= MOST_SIZE):
        raise Refused("INVALID_FIELD", f"terminal: rows and columns must be 1 to {MOST_SIZE}")
    return Terminal(asked.rows, asked.columns)
