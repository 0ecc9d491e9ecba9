"""What an agent asks to be let through with, in words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signet.v1.policies_pb2 import Ask


def asked(ask: "Ask", *, program: bool = True) -> str:
    """Give it as one line: `connect to api.example.org:443 (curl)`, `run "rm -rf build"`.

    `program`: also which one asked. A yes is for all of them, so what is granted is said without it.
    """
    if ask.HasField("command"):
        return f'run "{ask.command.command}"'
    binary = ask.network.binary.rpartition("/")[2]
    host = f"[{ask.network.host}]" if ":" in ask.network.host else ask.network.host
    return f"connect to {host}:{ask.network.port}" + (f" ({binary})" if binary and program else "")
