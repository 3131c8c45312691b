"""Answers, and errors with the bodies that HubSpot, or the proxy in front of it, sends."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

JSON = "application/json;charset=utf-8"
BODIES: dict[int, dict[str, Any]] = {
    400: {"message": "Invalid input", "category": "VALIDATION_ERROR"},
    401: {
        "message": "Authentication credentials not found. This API supports OAuth 2.0 "
        "authentication and you can find more "
        "details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        "category": "INVALID_AUTHENTICATION",
    },
    404: {"message": "Resource not found", "category": "OBJECT_NOT_FOUND"},
    405: {"message": "Method not allowed", "category": "METHOD_NOT_ALLOWED"},
    423: {"message": "The resource is locked, try again in 2 seconds", "category": "LOCKED"},
    477: {"message": "This account is being migrated to another data center", "category": "MIGRATION_IN_PROGRESS"},
    429: {"category": "RATE_LIMITS", "errorType": "RATE_LIMIT"},
    500: {"message": "internal error", "category": "INTERNAL_ERROR"},
}
LIMITS = {
    "TEN_SECONDLY_ROLLING": "You have reached your ten_secondly_rolling limit.",
    "DAILY": "You have reached your daily limit.",
}
SCOPES = ("event-detail-read", "web-analytics-api-access")


@dataclass
class Answer:
    """A status, a body, and the headers specific to this answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": JSON})


class Refused(Exception):
    """Raised for an invalid request; holds the error to answer with."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def error(status: int, **fields: Any) -> Answer:
    """HubSpot's error for a status. `fields` add to its body, or replace what is there."""
    if status in (414, 502, 503, 504) or status > 504:
        return _proxy_error(status)
    body = {"status": "error", "message": "error", "correlationId": str(uuid4())}
    return Answer(status, orjson.dumps(body | BODIES.get(status, {}) | fields))


def invalid(message: str, parameter: str) -> Refused:
    """A 400 VALIDATION_ERROR about one query parameter, to be raised."""
    errors = [{"message": message, "in": parameter}]
    return Refused(error(400, message=message, errors=errors, context={"parameter": [parameter]}))


def forbidden(types: Collection[str], event_type: str) -> Answer:
    """A 403 with the missing scopes, in the words of live accounts: those that `types` maps the event type to, else
    SCOPES.
    """
    scopes = types.get(event_type, SCOPES) if isinstance(types, Mapping) else SCOPES
    names = scopes if isinstance(scopes, str) else ",".join(scopes)
    return error(403, message=f"Insufficient scopes, requires one of: [{names}]", category="MISSING_SCOPES")


def rate_limited(policy: str, wait_ms: int | None) -> Answer:
    """A 429 for a policy, with Retry-After in whole seconds unless `wait_ms` is None."""
    answer = error(429, message=LIMITS[policy], policyName=policy)
    if wait_ms is not None:
        answer.headers["Retry-After"] = str(max(1, -(-wait_ms // 1000)))
    return answer


def _proxy_error(status: int) -> Answer:
    """An error of the proxy in front of the API, which does not send JSON."""
    if status >= 520:
        return Answer(status, f"error code: {status}".encode(), {"Content-Type": "text/plain; charset=UTF-8"})
    says = "The request URI is too long." if status == 414 else "The server is not available."
    body = f"<html><head><title>{status}</title></head><body>{says}</body></html>"
    return Answer(status, body.encode(), {"Content-Type": "text/html"})
