"""What can go wrong, as types: all are MlopsError, and each reads as one line that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_client.models import Job, SweepState, Transition


class MlopsError(Exception):
    """Base of what this package raises on purpose."""


class NotSignedIn(MlopsError):
    """There is no URL or no key to send."""


class Unreachable(MlopsError):
    """Nothing that speaks the API answers at the URL: no connection, a broken certificate, or a web page."""


class WaitTimeout(MlopsError):
    """What was waited for has not come within the time; it goes on all the same."""


class BadInput(MlopsError):
    """A file or value of the caller's own that cannot be sent as it is."""


class ApiError(MlopsError):
    """The API refused: its problem document (RFC 9457).

    `status` is the HTTP status, `code` the platform's word for the cause, `request_id` what an operator can look up,
    `errors` the fields at fault as {"field", "message"}.
    """

    def __init__(self, status: int, problem: dict[str, Any], request_id: str | None = None) -> None:
        self.status = status
        self.code = str(problem.get("code") or "")
        self.detail = str(problem.get("detail") or problem.get("title") or f"the API answered {status}")
        self.request_id = str(problem.get("request_id") or request_id or "") or None
        self.errors: list[dict[str, str]] = list(problem.get("errors") or [])
        super().__init__(self.detail)

    def __str__(self) -> str:
        known = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.detail}{known}"


class Forbidden(ApiError):
    """401 or 403: no valid key, or its role does not allow this."""


class NotFound(ApiError):
    """404: no such job, model, experiment or route."""


class Conflict(ApiError):
    """409: not in the present state."""


class Invalid(ApiError):
    """413 or 422: the request is not valid."""


class Unavailable(ApiError):
    """429, 502, 503 or 504, and it stayed so after the retries."""


class JobFailed(MlopsError):
    """A job or a sweep that was waited for failed or was cancelled; `outcome` is its record."""

    def __init__(self, outcome: Job | SweepState, name: str) -> None:
        self.outcome = outcome
        super().__init__(f"{name} {outcome.status}" + (f": {outcome.error}" if outcome.error else ""))


class TransitionRefused(MlopsError):
    """A promotion that was waited for was rejected or failed; `transition` is its record, with the gate's results."""

    def __init__(self, transition: Transition) -> None:
        self.transition = transition
        failed = "; ".join(f"{gate.check}: {gate.detail}" for gate in transition.gates if not gate.passed)
        why = transition.error or failed or "no reason given"
        super().__init__(f"{transition.model_name} version {transition.version} was {transition.status}: {why}")


_TYPES: dict[int, type[ApiError]] = {401: Forbidden, 403: Forbidden, 404: NotFound, 409: Conflict} | {
    413: Invalid,
    422: Invalid,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def api_error(status: int, problem: dict[str, Any], request_id: str | None = None) -> ApiError:
    """The error type that fits the status."""
    return _TYPES.get(status, ApiError)(status, problem, request_id)
