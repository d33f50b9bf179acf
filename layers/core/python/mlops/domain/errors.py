"""Errors for callers. Each is a type with a status and a code. `mlops.api` turns them into RFC 9457 documents."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

FieldError = tuple[str, str]
"""A field of the request, and what it must be."""


class PlatformError(Exception):
    """An error that the caller can act on. `detail` says what is wrong and what to do, without the text of inner
    errors."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class ValidationFailed(PlatformError):
    status, code, title = 422, "validation_failed", "The request is not valid"

    @classmethod
    def of_fields(cls, errors: Iterable[FieldError], most: int | None = None) -> "ValidationFailed":
        """Make the error that names the first `most` invalid fields of the request."""
        named = list(errors)[:most]
        detail = "; ".join(f"{field}: {message}" for field, message in named)
        return cls(detail, errors=[{"field": field, "message": message} for field, message in named])

    @classmethod
    def of_field(cls, field: str, message: str) -> "ValidationFailed":
        """Make the error that names one field of the request."""
        return cls.of_fields([(field, message)])


class InvalidToken(PlatformError):
    status, code, title = 401, "invalid_token", "The token is not valid"


class SessionExpired(PlatformError):
    status, code, title = 401, "session_expired", "The personal key has ended"


class Forbidden(PlatformError):
    status, code, title = 403, "forbidden", "Forbidden"


class NotFound(PlatformError):
    status, code, title = 404, "not_found", "Not found"

    @classmethod
    def of_route(cls, method: str, path: str) -> "NotFound":
        """Make the error of a route that the API does not have."""
        return cls(f"The API has no route {method} {path}; GET /docs lists the routes")


class Conflict(PlatformError):
    status, code, title = 409, "conflict", "Conflict"


class TransitionNotAllowed(Conflict):
    code, title = "transition_not_allowed", "The lifecycle does not allow this step"


class NoModelInStage(Conflict):
    code, title = "no_model_in_stage", "No model serves this stage"

    def __init__(self, model_name: str, stage: str) -> None:
        super().__init__(
            f"No version of the model {model_name!r} is in {stage}. Promote one: POST /models/transition with "
            f'{{"model_name": "{model_name}", "version": <number>, "stage": "{stage}"}}'
        )


class VersionNotServed(Conflict):
    code, title = "version_not_served", "This version of the model does not answer requests"

    def __init__(self, model_name: str, version: int, served: Mapping[str, int]) -> None:
        stages = " and ".join(f"version {number} in {stage}" for stage, number in served.items()) or "no version"
        super().__init__(
            f"Version {version} of the model {model_name!r} is in none of the stages that answer this request; "
            f"{stages} can answer. Leave out the version, or promote it"
        )


class InUse(Conflict):
    code, title = "in_use", "Something needs what was to be deleted"

    def __init__(self, detail: str, kept: list[dict[str, Any]]) -> None:
        """`kept` names what is needed, each with its `reasons`."""
        super().__init__(detail, kept=kept)


class IdempotencyConflict(Conflict):
    code, title = "idempotency_conflict", "Idempotency-Key was used with another request"


class Gone(PlatformError):
    status, code, title = 410, "gone", "It is not kept any more"


class PayloadTooLarge(PlatformError):
    status, code, title = 413, "payload_too_large", "The request body is too large"

    def __init__(self, most_bytes: int, remedy: str) -> None:
        super().__init__(f"The body is larger than {most_bytes} bytes; {remedy}")


class DependencyUnavailable(PlatformError):
    """A service behind the platform does not answer. The caller may try again after `retry_after` seconds."""

    status, code, title = 503, "dependency_unavailable", "A service behind the platform does not answer"

    def __init__(self, detail: str, retry_after: int = 5, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after


def unexpected() -> PlatformError:
    """Make the error for an unexpected failure of the platform. The caller gets no inner text."""
    return PlatformError(
        "The platform failed on this request. Its logs have the reason: search them for the request_id"
    )
