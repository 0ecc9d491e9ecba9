"""What a caller of the door is told when it does not get an answer: OpenAI's form, and an honest code."""

import json


class Refusal(Exception):
    """An error of the door: HTTP status, a constant code, a message for people, the field it is about."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        *,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.usage: bytes | None = None  # what was spent nevertheless
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds

    def body(self) -> bytes:
        """Write it as OpenAI's clients expect it."""
        error = {"message": self.message, "type": _kind(self.status), "code": self.code, "param": self.param}
        return json.dumps({"error": error}).encode()

    def event(self) -> bytes:
        """Write it into a stream that began already."""
        return b"data: " + self.body() + b"\n\n"


_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


def _kind(status: int) -> str:
    return _KINDS.get(status, "server_error")


def bad_request(message: str, param: str | None = None) -> Refusal:
    """Make the refusal of a request that is itself wrong."""
    return Refusal(400, "invalid_request", message, param)


def provider_error(message: str) -> Refusal:
    """Make the refusal for a provider that answered with something that is no answer."""
    return Refusal(502, "provider_error", message)


def provider_timeout(message: str) -> Refusal:
    """Make the refusal for a provider that took too long."""
    return Refusal(504, "provider_timeout", message)


def provider_unavailable(message: str, retry_after_seconds: int = 5) -> Refusal:
    """Make the refusal for a provider that cannot be reached now."""
    return Refusal(503, "provider_unavailable", message, retry_after_seconds=retry_after_seconds)
