"""People sign in on the local stack: a provider of tokens on this machine, API Gateway, predict and reconcile.

The provider has an authority of its own, which the function trusts by OpenSSL's own `SSL_CERT_FILE`.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.local import deploy
from infra.local.api import Api
from tests.support.oidc_issuer import AUDIENCE, Issuer, issuing
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow
ROUND = json.dumps({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}).encode()


@pytest.fixture(scope="module")
def issuer(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """A provider that the stack's function of sessions trusts."""
    lambdas = deploy.client(stack.settings, "lambda")
    function = deploy.physical_ids(stack.settings)["SessionsFunction"]
    variables = lambdas.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    with issuing(tmp_path_factory.mktemp("issuer")) as running:
        own = {
            "OIDC_ISSUER": running.issuer,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_GROUPS": "data-science=train:digit*,churn*;everyone=read",
            "SSL_CERT_FILE": str(running.authority),
        }
        lambdas.update_function_configuration(FunctionName=function, Environment={"Variables": variables | own})
        try:
            yield running
        finally:
            lambdas.update_function_configuration(FunctionName=function, Environment={"Variables": variables})


def ends(stack: Any, outputs: dict[str, str], owner: str, until: int | None = None) -> dict[str, int]:
    """When the personal keys of a person end, by their ids; with `until`, after they were changed to end then."""
    client, table = deploy.client(stack.settings, "dynamodb"), outputs["AccessKeysTableName"]
    items = [item for item in client.scan(TableName=table)["Items"] if item.get("owner", {}).get("S") == owner]
    if until is not None:
        for item in items:
            client.put_item(TableName=table, Item=item | {"until": {"N": str(until)}})
    return {item["key_id"]["S"]: until or int(item["until"]["N"]) for item in items}


def test_a_person_signs_in_works_and_is_signed_out_after_a_time(
    stack: Any,
    api: Api,
    outputs: dict[str, str],
    invoke: Callable[[str, bytes], Any],
    issuer: Issuer,
    production_model: Any,
    held_out: Any,
) -> None:
    anyone = Api(stack.api_url, None)
    answer = anyone.send("POST", "/session", {"token": issuer.token()})
    assert answer.status == 201, answer.json
    session = answer.json
    assert (session["owner"], session["role"], session["models"]) == ("ann@example.com", "train", ["digit*", "churn*"])
    person = Api(stack.api_url, session["key"])
    # Before the key is used for the first time, it is made to end soon.
    until = int(time.time()) + 20
    (key_id,) = ends(stack, outputs, "ann@example.com", until)
    invoke("ReconcileFunction", ROUND)
    me = person.get("/me")
    assert (me["name"], me["role"], me["models"]) == ("ann@example.com", "train", ["digit*", "churn*"])
    assert me["until"] is not None
    image = {"image": held_out[0][0]}
    assert person.send("POST", "/predict", image).status == 200
    assert person.send("POST", "/predict", image | {"model_name": "other"}).status == 403
    assert person.send("GET", "/keys/history").status == 403
    gateway = deploy.client(stack.settings, "apigateway")
    eventually(lambda: time.time() > until + 1)
    # The local stack's own rounds may have removed the key already. Then API Gateway refuses it.
    for refused in (person.send("GET", "/me"), person.send("POST", "/predict", image)):
        assert refused.status in (401, 403), refused.json
        assert "session_expired" in refused.json["code"] or "not valid" in refused.json["detail"]
    invoke("ReconcileFunction", ROUND)
    assert ends(stack, outputs, "ann@example.com") == {}
    assert key_id not in [key["id"] for key in gateway.get_api_keys()["items"]]
    assert person.send("GET", "/me").status == 403
    changes = [entry for entry in api.get("/keys/history")["entries"] if entry["key_id"] == key_id]
    assert [entry["change"] for entry in changes] == ["expired", "made"]
    assert {entry["owner"] for entry in changes} == {"ann@example.com"}


def test_signing_out_ends_the_key(
    stack: Any, outputs: dict[str, str], invoke: Callable[[str, bytes], Any], issuer: Issuer
) -> None:
    anyone = Api(stack.api_url, None)
    token = issuer.token(email="bob@example.com", groups=["everyone"])
    first, second = (Api(stack.api_url, anyone.post("/session", {"token": token})["key"]) for _ in range(2))
    assert first.send("DELETE", "/session").status == 200
    assert first.send("GET", "/models").status == 401
    assert first.send("POST", "/predict", {}).status == 401
    assert second.send("GET", "/models").status == 200
    assert second.send("DELETE", "/session").status == 200
    invoke("ReconcileFunction", ROUND)
    assert ends(stack, outputs, "bob@example.com") == {}
    assert (first.send("GET", "/me").status, second.send("GET", "/me").status) == (403, 403)


def test_no_key_without_a_token_that_holds(stack: Any, outputs: dict[str, str], issuer: Issuer) -> None:
    anyone = Api(stack.api_url, None)
    for token, status in (
        (issuer.token(aud="another"), 401),
        (issuer.token(groups=["others"]), 403),
        ("x" * 16_001, 422),
    ):
        assert anyone.send("POST", "/session", {"token": token}).status == status
    assert anyone.send("DELETE", "/session").status == 403
    assert ends(stack, outputs, "ann@example.com") == {}


def test_iam_is_not_verified_here_and_opens_nothing(stack: Any) -> None:
    """The local API Gateway looks whether there is a signature, and not at it. So the parameter has to stay empty."""
    anyone = Api(stack.api_url, None)
    assert anyone.send("POST", "/session/iam").status == 404
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/execute-api/aws4_request"}
    answer = anyone.send("POST", "/session/iam", headers=signed)
    assert (answer.status, "IamPrincipals" in answer.json["detail"]) == (403, True), answer.json
