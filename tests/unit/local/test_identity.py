"""A training job's token becomes the identity that API Gateway would give; nobody else gets one."""

import asyncio
from typing import Any

import pytest

from infra.local.aws.environment import job_environment
from infra.local.guard.identity import TRAINER_ROLE, TRAINER_TOKEN, with_identity
from infra.local.settings import Settings
from tracking.access import is_role


def identity(*headers: tuple[bytes, bytes]) -> str | None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope.get("aws.event"))

    async def nothing(*_: Any) -> Any:
        return {}

    asyncio.run(with_identity(app)({"type": "http", "headers": list(headers)}, nothing, nothing))
    (event,) = seen
    return event["requestContext"]["identity"]["userArn"] if event else None


@pytest.mark.parametrize("name", [b"authorization", b"Authorization"])
def test_a_job_is_the_trainers_role(name: bytes) -> None:
    arn = identity((b"host", b"localhost"), (name, f"Bearer {TRAINER_TOKEN}".encode()))
    assert is_role(arn or "", TRAINER_ROLE)


@pytest.mark.parametrize("headers", [(), ((b"authorization", b"Bearer x"),), ((b"x", TRAINER_TOKEN.encode()),)])
def test_other_programs_are_nobody_in_particular(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert identity(*headers) is None


def test_jobs_get_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.aws.environment.aws_environment", lambda _: {})
    assert job_environment(Settings())["MLFLOW_TRACKING_TOKEN"] == TRAINER_TOKEN
