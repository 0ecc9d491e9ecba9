"""The door's refusals, as gRPC's callers are told of them."""

from collections.abc import Mapping

from router.refusal import Refusal
from signet.kit.errors import (
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    SignetError,
    Unauthenticated,
    Unavailable,
    Violation,
)

_CODES: Mapping[str, tuple[type[SignetError], str]] = {
    "model_not_allowed": (PermissionDenied, "POLICY_DENIED"),
    "model_not_found": (NotFound, "MODEL_NOT_FOUND"),
    "budget_exhausted": (ResourceExhausted, "BUDGET_EXHAUSTED"),
    "price_unknown": (ResourceExhausted, "BUDGET_EXHAUSTED"),
    "spending_frozen": (ResourceExhausted, "BUDGET_EXHAUSTED"),
    "rate_limit_exceeded": (ResourceExhausted, "LIMIT_REACHED"),
    "provider_error": (Unavailable, "PROVIDER_UNAVAILABLE"),
    "provider_unavailable": (Unavailable, "PROVIDER_UNAVAILABLE"),
    "provider_timeout": (DeadlineExceeded, "PROVIDER_UNAVAILABLE"),
    "control_unavailable": (Unavailable, "CONTROL_UNAVAILABLE"),
    "ledger_unavailable": (Unavailable, "STORE_UNAVAILABLE"),
    "internal_error": (Internal, "INTERNAL"),
}
_STATUSES: Mapping[int, tuple[type[SignetError], str]] = {
    401: (Unauthenticated, "TOKEN_UNKNOWN"),
    402: (ResourceExhausted, "BUDGET_EXHAUSTED"),
    403: (PermissionDenied, "SCOPE_MISSING"),
    429: (ResourceExhausted, "LIMIT_REACHED"),
    502: (Unavailable, "PROVIDER_UNAVAILABLE"),
    503: (Unavailable, "PROVIDER_UNAVAILABLE"),
    504: (DeadlineExceeded, "PROVIDER_UNAVAILABLE"),
}


def explained(refusal: Refusal) -> SignetError:
    """Give the error for a refusal: by its code, else by its status; what is left is a request that is wrong."""
    kind, reason = _CODES.get(refusal.code) or _STATUSES.get(refusal.status) or (InvalidArgument, "INVALID_FIELD")
    violations = [Violation(refusal.param, refusal.message)] if refusal.param and kind is InvalidArgument else []
    return kind(reason, refusal.message, violations=violations, retry_after_seconds=refusal.retry_after_seconds)


def told(error: Mapping[str, object]) -> SignetError:
    """Give the error for one that a stream told of, in OpenAI's form."""
    code, param = error.get("code"), error.get("param")
    message = str(error.get("message") or "the provider failed")
    refusal = Refusal(502, str(code or "provider_error"), message, param if isinstance(param, str) else None)
    return explained(refusal)
