"""A training job's token becomes the identity that API Gateway would give; nobody else gets one."""

import asyncio
from typing import Any

import pytest

from infra.local.guard.identity import CODE_ROLE, CODE_TOKEN, TRAINER_ROLE, TRAINER_TOKEN, token_of, with_identity
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
@pytest.mark.parametrize(("token", "role"), [(TRAINER_TOKEN, TRAINER_ROLE), (CODE_TOKEN, CODE_ROLE)])
def test_a_job_is_its_role(name: bytes, token: str, role: str) -> None:
    arn = identity((b"host", b"localhost"), (name, f"Bearer {token}".encode()))
    assert is_role(arn or "", role)


@pytest.mark.parametrize("headers", [(), ((b"authorization", b"Bearer x"),), ((b"x", TRAINER_TOKEN.encode()),)])
def test_other_programs_are_nobody_in_particular(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert identity(*headers) is None


@pytest.mark.parametrize(("role", "token"), [("TrainerRole", TRAINER_TOKEN), ("CodeRole", CODE_TOKEN)])
def test_jobs_get_the_token_of_their_role(role: str, token: str) -> None:
    assert token_of(f"arn:aws:iam::000000000000:role/mlops-local-{role}-1A") == token
