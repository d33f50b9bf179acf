"""The handler factory: what every control-plane function does alike."""

import json
from urllib.parse import quote

import pytest
from botocore.exceptions import EndpointConnectionError
from fastapi import APIRouter

from mlops.api.http import PathText, lambda_handler
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.request import Request
from tests.support.gateway import CONTEXT, api_event, make_access_keys


class Body(Request):
    size: int


router = APIRouter()


@router.get("/fine")
def fine():
    return {"fine": True}


@router.get("/pages")
def pages(limit: int = 10, status: str = "any"):
    return {"limit": limit, "status": status}


@router.post("/things")
def things(body: Body):
    return body


@router.get("/notes/{name}")
def note(name: PathText):
    return {"name": name}


@router.get("/notes/{name}/lines")
def lines(name: PathText):
    return {"lines of": name}


@router.get("/down")
def down():
    raise DependencyUnavailable("The registry does not answer", retry_after=7)


@router.get("/aws")
def aws_is_down():
    raise EndpointConnectionError(endpoint_url="https://secret.internal")


@router.get("/bug")
def bug():
    raise RuntimeError("password=secret")


@pytest.fixture
def call(aws, monkeypatch):
    monkeypatch.setenv("ACCESS_KEYS_TABLE", make_access_keys())
    handler = lambda_handler(router, on_event=lambda event, context: {"handled": event["kind"]})

    def call(method, path, body=None, key="k1", query=None, **event):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        asked = api_event(method, path, body, headers=form, key=key, query=query)
        answer = handler({**asked, **event}, CONTEXT)
        return answer["statusCode"], answer["headers"], json.loads(answer["body"]) if answer["body"] else None

    call.handler = handler
    return call


def test_an_answer_has_the_security_headers_and_the_request_id(call):
    status, headers, body = call("GET", "/fine")
    assert (status, body) == (200, {"fine": True})
    assert headers["x-request-id"] == "req-1"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"].startswith("default-src 'none'")


def test_a_body_is_json_whatever_the_client_calls_it(call):
    assert call("POST", "/things", '{"size": 3}')[2] == {"size": 3}


@pytest.mark.parametrize(
    "body", ['{"size": "3"}', '{"size": true}', '{"size": NaN}', '{"size": 1, "more": 2}', "[", ""]
)
def test_a_wrong_body_is_422_and_names_the_field(call, body):
    status, headers, problem = call("POST", "/things", body)
    assert (status, problem["code"]) == (422, "validation_failed")
    assert headers["content-type"] == "application/problem+json"
    assert problem["errors"][0]["field"]


def test_a_parameter_that_the_route_does_not_have_is_422_and_not_passed_over(call):
    assert call("GET", "/pages", query={"limit": "3"})[2] == {"limit": 3, "status": "any"}
    status, _, problem = call("GET", "/pages", query={"stauts": "failed", "limit": "3"})
    assert (status, problem["errors"]) == (
        422,
        [{"field": "stauts", "message": "is not a parameter of this route, which has limit, status"}],
    )
    assert call("GET", "/fine", query={"x" * 5000: "1"})[2]["errors"][0]["field"] == "x" * 100
    assert call("GET", "/fine", query={"a\nb": "1"})[2]["errors"][0] == {
        "field": "query",
        "message": "is not a parameter of this route, which has none",
    }


def test_a_parameter_with_two_values_is_422_and_not_the_last_of_them(call):
    status, _, problem = call(
        "GET", "/pages", query={"limit": "3"}, multiValueQueryStringParameters={"limit": ["9", "3"]}
    )
    assert (status, problem["errors"]) == (
        422,
        [{"field": "limit", "message": "is in the query more than once; send it once"}],
    )


def test_a_body_over_the_limit_is_413(call):
    assert call("POST", "/things", "x" * 1_000_001)[0] == 413
    assert call("POST", "/things", "é" * 500_001)[0] == 413, "bytes, not characters"
    assert call("POST", "/things", "x" * 1_000_000)[0] == 422


def test_a_dependency_that_is_down_is_503_with_retry_after(call):
    status, headers, problem = call("GET", "/down")
    assert (status, headers["retry-after"], problem["request_id"]) == (503, "7", "req-1")
    status, _, problem = call("GET", "/aws")
    assert status == 503
    assert "secret" not in json.dumps(problem)


def test_no_inner_text_reaches_the_caller(call):
    status, headers, problem = call("GET", "/bug")
    assert status == 500
    assert headers["content-type"] == "application/problem+json"
    assert "secret" not in json.dumps(problem)


def test_an_unknown_key_and_an_unknown_route(call):
    assert call("GET", "/fine", key="nobody")[0] == 403
    assert call("GET", "/nowhere")[0] == 404


def test_other_events_are_dispatched_before_http(call):
    assert call.handler({"kind": "retrain"}, CONTEXT) == {"handled": "retrain"}


@pytest.mark.parametrize(
    "name", ["a/b", "/Shared/team one", "100%", "50%2F50", "a%252Fb", "ü & ?#", "lines", "a/lines"]
)
def test_a_name_in_the_path_may_hold_any_text(call, name):
    assert call("GET", f"/notes/{quote(name, safe='')}")[2] == {"name": name}
    assert call("GET", f"/notes/{quote(name, safe='')}/lines")[2] == {"lines of": name}
    lower = quote(name, safe="").replace("%2F", "%2f")
    assert call("GET", f"/notes/{lower}")[2] == {"name": name}
