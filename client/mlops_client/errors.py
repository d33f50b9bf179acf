"""The errors of this package. All are MlopsError, and each message is one line that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_client.models import BatchPredictionState, Job, LabelImportState, SweepState, Transition


class MlopsError(Exception):
    """Base of the errors that this package raises."""


class NotSignedIn(MlopsError):
    """The address or the key is missing."""


class Unreachable(MlopsError):
    """The API does not answer: no connection, an invalid certificate, or something else at the address."""


class WaitTimeout(MlopsError):
    """A job, sweep or transition has not ended in time. It continues."""


class BadInput(MlopsError):
    """A value or file that cannot be sent to the API."""


_KNOWN = frozenset({"type", "title", "status", "detail", "instance", "code", "request_id", "errors", "message"})
"""The fields of each problem document, and API Gateway's own."""


class ApiError(MlopsError):
    """The API refused the request, with a problem document (RFC 9457).

    Attributes:
        status: The HTTP status.
        code: The cause in one word, such as not_found.
        detail: A sentence that says what is wrong.
        request_id: The ID of the request in the logs.
        errors: The invalid fields, each as {"field", "message"}.
        more: Further fields of the document: `kept`, what cannot be deleted, with the reasons; `allowed`, the stages
            that a version may go to.
    """

    def __init__(self, status: int, problem: dict[str, Any], request_id: str | None = None) -> None:
        self.status = status
        self.code = str(problem.get("code") or "")
        self.detail = str(problem.get("detail") or problem.get("title") or f"the API answered {status}")
        self.request_id = str(problem.get("request_id") or request_id or "") or None
        self.errors: list[dict[str, str]] = list(problem.get("errors") or [])
        self.more = {name: value for name, value in problem.items() if name not in _KNOWN}
        super().__init__(self.detail)

    def __str__(self) -> str:
        return f"{self.detail} (request {self.request_id})" if self.request_id else self.detail


class Forbidden(ApiError):
    """401 or 403: no valid key, or its role does not allow this."""


class NotFound(ApiError):
    """404: no such job, model, experiment or route."""


class Conflict(ApiError):
    """409: not possible in the current state."""


class Invalid(ApiError):
    """400, 413 or 422: the request is not valid."""


class Unavailable(ApiError):
    """429, 502, 503 or 504, even after retries."""


class JobFailed(MlopsError):
    """A job, a sweep, a batch prediction or an import failed, was cancelled, or was pruned by its sweep.

    Attributes:
        outcome: Its record.
    """

    def __init__(self, outcome: Job | SweepState | BatchPredictionState | LabelImportState, name: str) -> None:
        self.outcome = outcome
        super().__init__(f"{name} {outcome.status}" + (f": {outcome.error}" if outcome.error else ""))


class TransitionRefused(MlopsError):
    """A transition was rejected or failed.

    Attributes:
        transition: Its record, with the results of the gates.
    """

    def __init__(self, transition: Transition) -> None:
        self.transition = transition
        failed = "; ".join(f"{gate.check}: {gate.detail}" for gate in transition.gates if not gate.passed)
        reason = transition.error or failed or "no reason given"
        outcome = "was rejected" if transition.status == "rejected" else transition.status
        super().__init__(f"{transition.model_name} version {transition.version} {outcome}: {reason}")


_TYPES: dict[int, type[ApiError]] = {401: Forbidden, 403: Forbidden, 404: NotFound, 409: Conflict} | {
    400: Invalid,
    413: Invalid,
    422: Invalid,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def api_error(status: int, problem: dict[str, Any], request_id: str | None = None) -> ApiError:
    """Return the error of the type that fits the status."""
    return _TYPES.get(status, ApiError)(status, problem, request_id)
