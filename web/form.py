"""Forms as they arrive: bounded, UTF-8, URL-encoded; anything else is refused with what would be right."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from signet.kit.errors import InvalidArgument

INPUT_BYTES = 1_048_576
"""What a message may hold."""

BODY_BYTES = 3 * INPUT_BYTES + 65_536
"""What a form may hold: URL-encoding makes three bytes of one."""

_FIELDS = 32


class TooLarge(HTTPException):
    """Raised when a message or a form is larger than its limit."""

    def __init__(self, detail: str) -> None:
        super().__init__(413, detail)


async def read(request: Request) -> Mapping[str, str]:
    """Give the fields of a posted form; of a repeated one the last.

    Raises TooLarge beyond BODY_BYTES, InvalidArgument for another type, too many fields or bytes that are not UTF-8.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InvalidArgument("INVALID_FIELD", "a form is sent as application/x-www-form-urlencoded")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise TooLarge(f"The form is larger than {BODY_BYTES // 1024} KiB.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_FIELDS
        )
    except UnicodeDecodeError as error:
        raise InvalidArgument("INVALID_FIELD", "the form holds bytes that are not UTF-8") from error
    except ValueError as error:
        raise InvalidArgument("INVALID_FIELD", f"the form has more than {_FIELDS} fields") from error
    return dict(pairs)


def message(fields: Mapping[str, str]) -> str:
    """Give the message of a form, with plain line ends.

    Raises InvalidArgument when it is empty, TooLarge beyond INPUT_BYTES.
    """
    text = fields.get("input", "").replace("\r\n", "\n").strip("\n")
    if not text.strip():
        raise InvalidArgument("INVALID_FIELD", "The message is empty. Write something first.")
    size = len(text.encode())
    if size > INPUT_BYTES:
        raise TooLarge(
            f"The message is {size / INPUT_BYTES:.1f} MiB, and at most 1 MiB can be sent. "
            "Shorten it, or put it into a file of the agent's workspace."
        )
    return text
