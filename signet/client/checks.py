"""What the client checks before it sends: names and texts that no server would take."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from signet.kit.errors import InvalidArgument, invalid
from signet.kit.names import full

MAX_INPUT_BYTES = 1 << 20
"""The longest input of a run, in bytes of UTF-8."""

_SINGULARS = {
    "agents": "agent", "souls": "soul", "sessions": "session", "runs": "run", "models": "model",
    "providers": "provider", "workers": "worker", "tokens": "token", "policies": "policy", "approvals": "approval",
    "grants": "grant", "sandboxes": "sandbox", "secrets": "secret", "budgets": "budget", "apis": "api",
    "routes": "route",
}  # fmt: skip


def qualify(collection: str, name: str) -> str:
    """Complete a name: `assistant` and `agents/assistant` both become `agents/assistant`.

    Raises InvalidArgument for an empty name and for one of another collection.
    """
    if not name:
        raise invalid((_SINGULARS[collection], f"must be a name, as in `{collection}/{{id}}`"))
    first, slash, _ = name.partition("/")
    if slash and first != collection and first in _SINGULARS and collection != "models":
        raise invalid((_SINGULARS[collection], f"must be one of `{collection}/{{id}}`, not {name!r}"))
    return full(collection, utf8("name", name))


def qualify_optional(collection: str, name: str) -> str:
    """Do the same, and leave an empty name empty."""
    return qualify(collection, name) if name else ""


def utf8(field: str, text: str) -> str:
    """Give the text back. Raises InvalidArgument that names the first character that UTF-8 has no form for."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise invalid((field, f"is not valid UTF-8 at character {error.start + 1}")) from error
    return text


def run_input(text: str) -> str:
    """Give a run's input back. Raises InvalidArgument where it is empty, too long or no UTF-8."""
    size = len(utf8("input", text).encode())
    if not text.strip():
        raise invalid(("input", "is empty: say what the agent is to do"))
    if size > MAX_INPUT_BYTES:
        raise InvalidArgument(
            "INVALID_FIELD",
            f"input: is {size / 2**20:.1f} MiB; at most 1 MiB ({MAX_INPUT_BYTES:,} bytes) fits",
            hint="put the material into a file of the agent's workspace and ask about the file",
        )
    return text


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Put a time on the wire; one without a zone is local time."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC))
    return stamp
