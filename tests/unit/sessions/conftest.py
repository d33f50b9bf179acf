"""The function of sessions on moto's AWS, with a provider of tokens on this machine."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from mlops.domain.access import ACCESS_KEY, Grant, grants_from_json
from sessions import one_time_tokens, personal_keys, signing_in
from sessions.app import handler
from tests.support.gateway import CONTEXT, api_event
from tests.support.oidc_issuer import AUDIENCE, Issuer, issuing
from tests.support.tables import make_table

BUCKET, STACK, PARAMETER = "artifacts", "mlops-test", "/mlops-test/usage-plan"
ROLE = "arn:aws:iam::123456789012:role"


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuing(tmp_path_factory.mktemp("issuer")) as running:
        yield running


@pytest.fixture
def issuer(provider: Issuer, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    """The provider, which the function trusts, with one key and nothing to answer but its documents."""
    monkeypatch.setenv("SSL_CERT_FILE", str(provider.authority))
    provider.keys = provider.keys[:1]
    provider.answers.clear()
    provider.asked.clear()
    return provider


@dataclass
class Place:
    """What the function has to do with."""

    table: Any
    gateway: Any
    plan: str

    def grants(self) -> dict[str, Grant]:
        """What predict reads of the keys."""
        return grants_from_json(boto3.client("s3").get_object(Bucket=BUCKET, Key=ACCESS_KEY)["Body"].read())

    def items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.table.scan()["Items"]
        return items

    def plan_keys(self) -> list[str]:
        return [key["id"] for key in self.gateway.get_usage_plan_keys(usagePlanId=self.plan)["items"]]


@pytest.fixture
def place(aws: None, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    gateway = boto3.client("apigateway")
    plan = gateway.create_usage_plan(name=STACK)["id"]
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=plan, Type="String")
    for name, value in {
        "STACK_NAME": STACK,
        "ACCESS_KEYS_TABLE": "keys",
        "ONE_TIME_TOKENS_TABLE": "tokens",
        "ARTIFACT_BUCKET": BUCKET,
        "USAGE_PLAN_PARAMETER": PARAMETER,
        "USAGE_PLAN_ID": plan,
        "OIDC_ISSUER": issuer.issuer,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_GROUPS_CLAIM": "groups",
        "OIDC_OWNER_CLAIM": "email",
        "OIDC_GROUPS": "data-science=train:churn*,fraud; leads=approve:churn* ; everyone=read;ml-admins=admin",
        "IAM_PRINCIPALS": f"{ROLE}/AWSReservedSSO_Science_*=train:churn*;{ROLE}/ci=read",
    }.items():
        monkeypatch.setenv(name, value)
    caches = (
        personal_keys._usage_plan,
        personal_keys._personal_keys,
        signing_in._signing_in,
        one_time_tokens._one_time_tokens,
    )
    for cache in caches:
        cache.cache_clear()
    make_table("OneTimeTokensTable", "tokens")
    yield Place(make_table("AccessKeysTable", "keys"), gateway, plan)
    for cache in caches:
        cache.cache_clear()


Answer = tuple[int, dict[str, Any], dict[str, str]]


@pytest.fixture
def send(place: Place) -> Callable[..., Answer]:
    """Sends a request; returns the status, the body and the headers."""

    def sending(
        method: str, path: str, body: Any = None, *, arn: str | None = None, key: str | None = None, **query: str
    ) -> Answer:
        event = api_event(method, path, None if body is None else json.dumps(body), query=query, key=key)
        event["requestContext"]["identity"]["userArn"] = arn
        answer = handler(event, CONTEXT)
        return answer["statusCode"], json.loads(answer["body"]), answer["headers"]

    return sending


@pytest.fixture
def sign_in(send: Callable[..., Answer]) -> Callable[..., Answer]:
    """Sends a token."""
    return lambda token, **fields: send("POST", "/session", {"token": token, **fields})
