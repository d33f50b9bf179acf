"""The changes to ministack's API Gateway that need no running stack: limits and errors."""

import asyncio
import json

import pytest

pytest.importorskip("ministack")

from ministack.core.responses import request_scope
from ministack.services import apigateway_v1

from infra.local.aws.patches import gateway

API = "abcd1234"
TEMPLATE = '{"code":"$context.error.responseType","request_id":"$context.requestId"}'


@pytest.fixture
def execute(monkeypatch):
    """Send a body through the patched gateway to an integration; returns (status, body)."""

    def run(integration, body=b"{}"):
        monkeypatch.setattr(apigateway_v1, "_execute_in_scope", integration)
        gateway.limits()
        stage = {"stageName": "v1", "deploymentId": "d"}
        response = {"statusCode": "504", "responseTemplates": {"application/json": TEMPLATE}}
        too_large = {"statusCode": "413", "responseTemplates": {"application/json": TEMPLATE}}
        deployed = {"d": {"INTEGRATION_TIMEOUT": response, "REQUEST_TOO_LARGE": too_large}}
        monkeypatch.setattr(apigateway_v1, "_stages_v1", {API: {"v1": stage}})
        monkeypatch.setattr(apigateway_v1, "_deployed_gateway_responses", {API: deployed})
        call = apigateway_v1._handle_execute_in_scope(
            API, "v1", "POST", "/train", {}, body, {}, "000000000000", "us-east-1"
        )
        with request_scope("000000000000", "us-east-1"):
            status, _headers, answer = asyncio.run(call)
        return status, answer

    return run


async def answers(*_args):
    return 200, {}, b"done"


def test_an_answer_in_time_goes_through(execute):
    assert execute(answers) == (200, b"done")


def test_a_late_answer_is_a_timeout(execute, monkeypatch):
    async def late(_function, _event):
        await asyncio.sleep(10)

    async def integration(*_args):
        return await apigateway_v1._call_lambda_raw("slow", {})

    monkeypatch.setattr(apigateway_v1, "_call_lambda_raw", late)
    monkeypatch.setattr(gateway, "INTEGRATION_SECONDS", 0.05)
    gateway.concurrency()
    status, body = execute(integration)
    assert status == 504
    assert json.loads(body)["code"] == "INTEGRATION_TIMEOUT"


class Functions:
    """Functions whose calls last until they are let go; `running` are those that have begun, in that order."""

    def __init__(self, monkeypatch):
        self.running, self._ends = [], {}
        monkeypatch.setattr(apigateway_v1, "_call_lambda_raw", self._call)
        monkeypatch.setattr(gateway, "ENVIRONMENTS", 2)
        gateway.concurrency()

    async def _call(self, function, event):
        self.running.append((function, event))
        self._ends[function, event] = asyncio.Event()
        await self._ends[function, event].wait()
        self.running.remove((function, event))
        return event

    async def ask(self, function, *events):
        """Requests through the gateway, as many of which have begun as can."""
        asked = [asyncio.create_task(apigateway_v1._call_lambda_raw(function, event)) for event in events]
        await self._settled()
        return asked

    async def end(self, function, event):
        self._ends[function, event].set()
        await self._settled()

    async def _settled(self):
        for _ in range(10):
            await asyncio.sleep(0)


def test_requests_beyond_a_functions_environments_wait_in_line(monkeypatch):
    functions = Functions(monkeypatch)

    async def scenario():
        asked = await functions.ask("a", 1, 2, 3, 4)
        assert functions.running == [("a", 1), ("a", 2)]
        await functions.end("a", 2)
        assert functions.running == [("a", 1), ("a", 3)]
        await functions.end("a", 1)
        assert functions.running == [("a", 3), ("a", 4)]
        for event in (3, 4):
            await functions.end("a", event)
        assert await asyncio.gather(*asked) == [1, 2, 3, 4]

    asyncio.run(scenario())


def test_a_full_function_holds_up_no_other_one(monkeypatch):
    functions = Functions(monkeypatch)

    async def scenario():
        waiting = await functions.ask("full", 1, 2, 3)
        (asked,) = await functions.ask("other", 1)
        assert functions.running == [("full", 1), ("full", 2), ("other", 1)]
        await functions.end("other", 1)
        assert await asked == 1
        for event in (1, 2, 3):
            await functions.end("full", event)
        assert await asyncio.gather(*waiting) == [1, 2, 3]

    asyncio.run(scenario())


def test_the_wait_in_line_does_not_count_as_the_functions_own_time(monkeypatch):
    monkeypatch.setattr(gateway, "INTEGRATION_SECONDS", 0.5)
    monkeypatch.setattr(gateway, "ENVIRONMENTS", 1)

    async def takes_a_while(_function, event):
        await asyncio.sleep(0.05)
        return event

    monkeypatch.setattr(apigateway_v1, "_call_lambda_raw", takes_a_while)
    gateway.concurrency()

    async def scenario():
        return await asyncio.gather(*(apigateway_v1._call_lambda_raw("a", event) for event in range(15)))

    assert asyncio.run(scenario()) == list(range(15))


def test_a_call_that_breaks_or_is_late_gives_its_turn_back(monkeypatch):
    monkeypatch.setattr(gateway, "INTEGRATION_SECONDS", 0.02)
    monkeypatch.setattr(gateway, "ENVIRONMENTS", 1)

    async def call(_function, event):
        if event == "breaks":
            raise RuntimeError(event)
        if event == "late":
            await asyncio.sleep(10)
        return event

    monkeypatch.setattr(apigateway_v1, "_call_lambda_raw", call)
    gateway.concurrency()

    async def scenario():
        calls = [apigateway_v1._call_lambda_raw("a", event) for event in ("breaks", "late", "fine")]
        return await asyncio.gather(*calls, return_exceptions=True)

    broke, late, fine = asyncio.run(scenario())
    assert isinstance(broke, RuntimeError)
    assert (late.response_type, fine) == ("INTEGRATION_TIMEOUT", "fine")


@pytest.mark.parametrize(("size", "status"), [(gateway.MAX_BODY_BYTES, 200), (gateway.MAX_BODY_BYTES + 1, 413)])
def test_a_body_may_have_ten_megabytes(execute, size, status):
    assert execute(answers, b"0" * size)[0] == status


@pytest.mark.parametrize(
    ("result", "response_type", "status"),
    [
        ({"throttle": True}, "INTEGRATION_FAILURE", None),
        ({"error": True, "body": {"errorMessage": "secret"}}, "DEFAULT_5XX", 502),
        ({"body": "no envelope"}, "DEFAULT_5XX", 502),
        ({"body": {"no": "status"}}, "DEFAULT_5XX", 502),
    ],
)
def test_a_function_that_fails_is_not_quoted(monkeypatch, result, response_type, status):
    monkeypatch.setattr(apigateway_v1, "_lambda_proxy_response", lambda result: (result["body"], None))
    gateway.function_errors()
    with pytest.raises(gateway.FunctionFailed) as caught:
        apigateway_v1._lambda_proxy_response(result)
    assert (caught.value.response_type, caught.value.status) == (response_type, status)
    assert "secret" not in str(caught.value)


def test_the_gateway_responses_of_a_sam_template_are_kept(monkeypatch):
    kept = {}

    def put(api_id, kind, response):
        kept[api_id, kind] = response
        return 201, {}, b"{}"

    monkeypatch.setattr(apigateway_v1, "_put_gateway_response", put)
    monkeypatch.setattr(apigateway_v1, "_import_rest_api", lambda spec, base_data=None: API)
    gateway.responses()
    apigateway_v1._import_rest_api({"x-amazon-apigateway-gateway-responses": {"THROTTLED": {"statusCode": 429}}})
    assert kept == {(API, "THROTTLED"): {"statusCode": 429}}


def test_another_ministack_is_refused_by_the_name_it_lacks(monkeypatch):
    monkeypatch.delattr(apigateway_v1, "_import_rest_api")
    with pytest.raises(RuntimeError, match=r"apigateway_v1\._import_rest_api"):
        gateway.responses()
