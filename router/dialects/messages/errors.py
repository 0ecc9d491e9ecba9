"""Errors in this form. `error_code` is the router's own name for the cause; the id is the call's in its ledger."""

import json
from typing import Any

from router.dialects.events import written
from router.refusal import Refusal

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error(refusal: Refusal) -> dict[str, Any]:
    """Write a refusal."""
    kind = _TYPES.get(refusal.status, "api_error" if refusal.status >= 500 else "invalid_request_error")  # noqa: PLR2004 - HTTP's server errors
    told = {"type": kind, "message": refusal.message, "details": {"error_code": refusal.code}}
    return {"type": "error", "error": told, "request_id": _call(refusal)}


def event(refusal: Refusal) -> bytes:
    """Write a refusal into a stream."""
    return written(error(refusal), "error")


def _call(refusal: Refusal) -> str | None:
    return str(json.loads(refusal.usage)["call"]) if refusal.usage else None
