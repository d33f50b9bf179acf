"""Requests that no store or decoder can take are the caller's errors: 4xx, with the field named."""

import base64
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from fastapi import APIRouter
from pydantic import Field

from mlops.api.http import MAX_ID_BYTES, lambda_handler
from mlops.api.pagination import Cursor
from mlops.api.parameters import MAX_ERRORS, MAX_FIELD_NAME
from mlops.domain.errors import ValidationFailed
from mlops.domain.names import JobId
from mlops.domain.pagination import decode_cursor, encode_cursor
from mlops.domain.request import Request
from mlops.domain.training_request import Range
from mlops.registry.sql.paging import Order
from tests.support.tables import make_table

CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=128, invoked_function_arn="arn", aws_request_id="r", function_version="1"
)
Call = Callable[..., tuple[int, dict[str, Any]]]


class Body(Request):
    size: int
    space: dict[str, Annotated[list[float], Field(min_length=1)] | Range] = {}  # noqa: RUF012  pydantic copies it


router = APIRouter()


@router.post("/things")
def things(body: Body) -> dict[str, Any]:
    return {"size": str(body.size)}


@router.get("/things/{name}")
def thing(name: str, cursor: Cursor = None) -> dict[str, Any]:
    return {"name": name, "after": cursor and decode_cursor(cursor)}


@router.get("/jobs/{job_id}")
def job(job_id: JobId) -> dict[str, Any]:
    return {"job_id": job_id}


@pytest.fixture
def call(aws: None, monkeypatch: pytest.MonkeyPatch) -> Call:
    make_table("AccessKeysTable", "keys").put_item(Item={"key_id": "k1", "name": "ann", "role": "admin"})
    monkeypatch.setenv("ACCESS_KEYS_TABLE", "keys")
    handler = lambda_handler(router)

    def call(method: str, path: str, body: str | bytes | None = None, **query: str) -> tuple[int, dict[str, Any]]:
        raw = isinstance(body, bytes)
        event = {
            "httpMethod": method,
            "path": path,
            "resource": path,
            "headers": {"Host": "x"},
            "multiValueHeaders": {},
            "queryStringParameters": query or None,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
            "requestContext": {"requestId": "req-1", "identity": {"apiKeyId": "k1"}, "stage": "v1"},
            "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
            "isBase64Encoded": raw,
        }
        answer = handler(event, CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    return call


def fields(problem: dict[str, Any]) -> list[str]:
    assert problem["code"] == "validation_failed"
    for error in problem["errors"]:
        assert error["message"]
        assert f"{error['field']}: {error['message']}" in problem["detail"]
    return [error["field"] for error in problem["errors"]]


@pytest.mark.parametrize(
    "body",
    [
        '{"size":' * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"size": ' + "9" * 5000 + "}",
        b'{"size": "\xff\xfe"}',
        "{",
        "",
        "[]",
        "null",
    ],
    ids=["deep objects", "deep lists", "5,000 digits", "not UTF-8", "cut short", "empty", "a list", "null"],
)
def test_a_body_that_no_decoder_takes_is_422_and_names_the_body(call: Call, body: str | bytes) -> None:
    status, problem = call("POST", "/things", body)
    assert (status, fields(problem)) == (422, ["body"])


def test_an_error_names_the_field_by_its_path_in_the_body(call: Call) -> None:
    body = {"size": "3", "more": 1, "space": {"a": [1, "x"], "b": {"low": 1}, "c": 5}}
    status, problem = call("POST", "/things", json.dumps(body))
    assert status == 422
    named = set(fields(problem))
    assert {"size", "more", "space.a.1", "space.b.high", "space.c"} <= named
    assert not [field for field in named if "[" in field or "Range" in field], "no names of pydantic's own"


def test_an_error_says_what_is_wrong_without_pydantics_prefix(call: Call) -> None:
    _, problem = call("POST", "/things", '{"size": 1, "space": {"a": {"low": 2, "high": 1}}}')
    assert {"field": "space.a", "message": "low must be below high"} in problem["errors"]


def test_a_field_that_is_missing_is_named(call: Call) -> None:
    assert fields(call("POST", "/things", "{}")[1]) == ["size"]


def test_an_error_does_not_repeat_what_is_long_or_not_printable(call: Call) -> None:
    status, problem = call("POST", "/things", json.dumps({"size": 1, "x" * 500_000: 1}))
    assert (status, fields(problem)) == (422, ["x" * MAX_FIELD_NAME])
    status, problem = call("POST", "/things", json.dumps({"size": 1, "\x1b[2J": 1}))
    assert (status, fields(problem)) == (422, ["body"])
    status, problem = call("POST", "/things", json.dumps({f"field{number}": 1 for number in range(10_000)}))
    assert (status, len(fields(problem))) == (422, MAX_ERRORS)


def test_a_parameter_with_a_null_character_is_422_and_named(call: Call) -> None:
    assert fields(call("GET", "/things/a%00b")[1]) == ["name"]
    assert fields(call("GET", "/things/a", cursor="\0")[1]) == ["cursor"]


def test_an_id_that_is_too_long_is_422_and_named(call: Call) -> None:
    assert call("GET", "/things/" + "a" * MAX_ID_BYTES)[0] == 200
    for name in ("a" * (MAX_ID_BYTES + 1), "é" * (MAX_ID_BYTES // 2 + 1)):
        status, problem = call("GET", f"/things/{name}")
        assert (status, fields(problem)) == (422, ["name"])
    status, problem = call("GET", "/jobs/job_" + "1" * 3000)
    assert (status, fields(problem)) == (422, ["job_id"])


def encoded(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


@pytest.mark.parametrize(
    "cursor",
    ["!!", "é", "====", "a", encoded(b"\xff"), encoded(b"job\0"), "a" * 2001],
    ids=["not base64", "not ASCII", "nothing", "cut short", "not UTF-8", "a null character", "too long"],
)
def test_a_cursor_that_no_list_answered_is_422_and_named(call: Call, cursor: str) -> None:
    status, problem = call("GET", "/things/a", cursor=cursor)
    assert (status, fields(problem)) == (422, ["cursor"])


def test_a_cursor_is_read_as_it_was_written() -> None:
    assert decode_cursor(encode_cursor("job_000042/é")) == "job_000042/é"


ORDER = Order("r.start_time", True)


@pytest.mark.parametrize(
    "content",
    [
        *([*("r.start_time", None, True), key, "id"] for key in (True, False, [1], {"a": 1})),
        *([*("r.start_time", None, True), 1, identifier] for identifier in (True, None, 1.5, [1], {})),
        ["r.start_time", None, False, 1, "id"],
        ["r.start_time", None, True],
        [],
        {},
        7,
        True,
    ],
    ids=str,
)
def test_a_cursor_of_other_values_is_422_and_named(content: Any) -> None:
    with pytest.raises(ValidationFailed) as refused:
        ORDER.clauses("r.run_id", encode_cursor(json.dumps(content)))
    assert fields({"code": "validation_failed", "detail": refused.value.detail, **refused.value.extra}) == ["cursor"]


def test_a_cursor_that_is_nested_deeply_is_422_and_named() -> None:
    with pytest.raises(ValidationFailed, match="cursor"):
        ORDER.clauses("r.run_id", encode_cursor("[" * 1490))
