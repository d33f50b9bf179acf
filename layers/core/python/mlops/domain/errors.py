"""Errors a caller meets. Each is a type with a status and a code; the web layer maps them once, to RFC 9457."""

from typing import Any, ClassVar


class PlatformError(Exception):
    """An error the caller can act on. `detail` names what is wrong and the remedy, never an inner error's text."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class ValidationFailed(PlatformError):
    status, code, title = 422, "validation_failed", "The request is not valid"


class Forbidden(PlatformError):
    status, code, title = 403, "forbidden", "Forbidden"


class NotFound(PlatformError):
    status, code, title = 404, "not_found", "Not found"


class Conflict(PlatformError):
    status, code, title = 409, "conflict", "Conflict"


class TransitionNotAllowed(Conflict):
    code, title = "transition_not_allowed", "The lifecycle does not allow this step"


class NoModelInStage(Conflict):
    code, title = "no_model_in_stage", "No model serves this stage"


class IdempotencyConflict(Conflict):
    code, title = "idempotency_conflict", "Idempotency-Key was used with another request"


class PayloadTooLarge(PlatformError):
    status, code, title = 413, "payload_too_large", "The request body is too large"


class DependencyUnavailable(PlatformError):
    """Something behind us is down. The caller may try again after `retry_after` seconds."""

    status, code, title = 503, "dependency_unavailable", "A service behind the platform does not answer"

    def __init__(self, detail: str, retry_after: int = 5, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after
