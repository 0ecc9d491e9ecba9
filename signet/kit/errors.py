"""What can go wrong, one class per decision that a caller can take; one table to the wire and one back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

DOMAIN = "signet"
_DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True)
class Violation:
    """One bad field: its path in the request, and what would be right."""

    field: str
    description: str


class SignetError(Exception):
    """Every error that a caller may see.

    `reason` is a name of `signet.v1.ErrorReason` without its prefix; `message` says what was wrong and where; `hint`
    what would be right, often a command. None of them ever holds a secret.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        hint: str = "",
        violations: Iterable[Violation] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.hint = hint
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds


class InvalidArgument(SignetError):
    """Raised when the request itself is bad: mend it; sending it again will not help."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(SignetError):
    """Raised when what the request names is not there."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(SignetError):
    """Raised when the name or the request id is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(SignetError):
    """Raised when the state does not allow it: change the state first."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(SignetError):
    """Raised when somebody else was faster: read again, then decide."""

    code = grpc.StatusCode.ABORTED


class Unauthenticated(SignetError):
    """Raised when the caller is not known: sign in."""

    code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDenied(SignetError):
    """Raised when the caller is known and may not."""

    code = grpc.StatusCode.PERMISSION_DENIED


class ResourceExhausted(SignetError):
    """Raised when a limit is reached: free something or wait."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class OutOfRange(SignetError):
    """Raised when a position lies beyond the end."""

    code = grpc.StatusCode.OUT_OF_RANGE


class Unavailable(SignetError):
    """Raised when a service cannot be reached now: the same request may be sent again."""

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceeded(SignetError):
    """Raised when the caller's time was over before the answer: whether it took effect is not known."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Cancelled(SignetError):
    """Raised when the call was cancelled."""

    code = grpc.StatusCode.CANCELLED


class Internal(SignetError):
    """Raised for a fault of ours; the message carries an id that the service's log has too."""

    code = grpc.StatusCode.INTERNAL


_CLASSES: dict[grpc.StatusCode, type[SignetError]] = {
    cls.code: cls
    for cls in (
        InvalidArgument, NotFound, AlreadyExists, FailedPrecondition, Aborted, Unauthenticated, PermissionDenied,
        ResourceExhausted, OutOfRange, Unavailable, DeadlineExceeded, Cancelled, Internal,
    )
}  # fmt: skip


def invalid(*violations: tuple[str, str]) -> InvalidArgument:
    """Make the error for bad fields, all of them together."""
    text = "; ".join(f"{field}: {description}" for field, description in violations)
    return InvalidArgument("INVALID_FIELD", text, violations=(Violation(*pair) for pair in violations))


def scrubbed(error: SignetError, scrub: Callable[[str], str]) -> SignetError:
    """Give the error without what `scrub` takes out of its texts."""
    return _CLASSES.get(error.code, Internal)(
        error.reason,
        scrub(error.message),
        hint=scrub(error.hint),
        violations=(Violation(scrub(one.field), scrub(one.description)) for one in error.violations),
        retry_after_seconds=error.retry_after_seconds,
    )


def near(name: str, names: Iterable[str]) -> str:
    """Suggest what was perhaps meant: " Did you mean x?", or nothing."""
    close = get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def to_status(error: SignetError) -> status_pb2.Status:
    """Put an error on the wire: one ErrorInfo, and field violations, hint and retry time where it has them."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    if error.hint:
        info.metadata["hint"] = error.hint
    details: list[any_pb2.Any] = [_packed(info)]
    if error.violations:
        fields = [
            error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations
        ]
        details.append(_packed(error_details_pb2.BadRequest(field_violations=fields)))
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    number: int = error.code.value[0]
    return status_pb2.Status(code=code_pb2.Code.Name(number) and number, message=error.message, details=details)


def from_rpc(error: grpc.RpcError) -> SignetError:
    """Take an error from the wire. One that carries no details of ours keeps its code and text."""
    code = error.code()
    cls = _CLASSES.get(code, Internal)
    status = _status_of(error)
    if status is None:
        return _plain(cls, error.details() or code.name)
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    wait = None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        if detail.Unpack(retry):
            wait = retry.retry_delay.ToNanoseconds() / 1e9
    return cls(
        info.reason or code.name,
        status.message,
        hint=info.metadata.get("hint", ""),
        violations=(Violation(item.field, item.description) for item in bad.field_violations),
        retry_after_seconds=wait,
    )


def _plain(cls: type[SignetError], text: str) -> SignetError:
    if cls is Unavailable:
        return Unavailable("CONTROL_UNAVAILABLE", f"the service cannot be reached ({text})", hint="signet status")
    return cls(cls.code.name, text)


def _status_of(error: grpc.RpcError) -> status_pb2.Status | None:
    metadata: Any = error.trailing_metadata()
    for key, value in metadata or ():
        if key == _DETAILS_KEY:
            return status_pb2.Status.FromString(value)
    return None


def _packed(
    message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
