"""Why a request is not let through, as whoever asked is told."""

import json
from typing import Any


class Gone(Exception):
    """The other side closed, or broke the rules where nothing can be answered any more."""


class Denied(Exception):
    """A request that is answered with an error: `status`, a `code` for programs, a message for people.

    `fields` are added to the body's `error`: host, port, binary, rule, hint where they are known.
    """

    def __init__(self, status: int, code: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def answer(self) -> bytes:
        """Write it whole; the connection is closed after it. The first line has the code: it is all that some show."""
        body = json.dumps({"error": {"code": self.code, "message": self.message, **self.fields}}).encode() + b"\n"
        head = (
            f"HTTP/1.1 {self.status} {self.code}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-signet-egress: {self.code}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body


def malformed(what: str) -> Denied:
    """Refuse what is no strict HTTP/1.1, or what two readers could understand differently."""
    return Denied(400, "bad_request", what)
