"""What a key may ask predict: its role and its models, from the file of grants in S3."""

from collections.abc import Callable
from typing import Any, get_args

import pytest

from mlops.domain.access import ACCESS_KEY, Grant, Role, grants_to_json
from predict.access import REFRESH_SECONDS, UNKNOWN_SECONDS, Access
from predict.protocols import ROUTES
from predict.s3 import S3Missing, S3Object, S3Unavailable
from tests.support.serving import served

MODEL, OTHER = "digit-classifier", "other"
INPUT = {"image": [0.0] * 784}
PARAMETERS = {"name": OTHER, "version": "1"}
ANY_MODEL = ("/v2", "/v2/health/live", "/v2/health/ready")


def identity(key: str | None) -> dict[str, Any]:
    return {"requestContext": {"requestId": "request-1", "identity": {"apiKeyId": key}}}


@pytest.fixture
def predict(store: Any, start: Callable[[], Any]) -> Any:
    """The function with a model, and a file of grants: a key of each role, and one for other models."""
    store.promote(served(1))
    store.promote(served(1, stage="Staging"))
    grants = {role: Grant(role) for role in get_args(Role)}
    grants |= {"mine": Grant("admin", ("digit*",)), "theirs": Grant("admin", (OTHER,)), "later": Grant("auditor")}
    grants |= {"ended": Grant("admin", until=1), "personal": Grant("read", until=9**11)}
    store.put(ACCESS_KEY, grants_to_json(grants))
    return start()


@pytest.mark.parametrize("path", ["/predict", "/predict/staging", "/predict/batch"])
@pytest.mark.parametrize(
    ("key", "status"),
    [
        *((role, 200) for role in get_args(Role)),
        *(
            ("mine", 200),
            ("theirs", 403),
            ("later", 403),
            ("unknown", 403),
            (None, 403),
            ("ended", 401),
            ("personal", 200),
        ),
    ],
)
def test_predictions_need_a_role_and_the_model(predict: Any, path: str, key: str | None, status: int) -> None:
    body = {"images": [INPUT["image"]]} if path.endswith("batch") else INPUT
    for _ in range(2):  # the second one comes from the cache of answers
        answer = predict.call(body, path, **identity(key))
        assert answer.status == status, answer.text
    if key == "theirs":
        assert "is for other, and not for the model 'digit-classifier'" in answer.json["detail"]


def test_an_answer_that_is_kept_is_for_those_who_may_ask(predict: Any) -> None:
    assert predict.call(INPUT, **identity("mine")).status == 200
    assert predict.call(INPUT, **identity("theirs")).status == 403


@pytest.mark.parametrize(("method", "resource"), ROUTES, ids=" ".join)
def test_each_protocol_needs_a_role_and_the_model(predict: Any, method: str, resource: str) -> None:
    def status(key: str, parameters: dict[str, str]) -> int:
        event = identity(key) | {"pathParameters": parameters}
        answered: int = predict.call("{}" if method == "POST" else None, resource, method, **event).status
        return answered

    refused = 200 if resource == "/v2/health/live" else 403  # a process is alive for everybody
    assert status("unknown", PARAMETERS) == status("later", PARAMETERS) == refused
    if resource in ANY_MODEL:
        assert status("theirs", PARAMETERS) == 200
    else:
        assert status("mine", PARAMETERS) == 403
        assert status("theirs", PARAMETERS) in (409, 422), "there is no such model"
        assert status("mine", {**PARAMETERS, "name": MODEL}) in (200, 422)


def test_without_a_file_every_key_may_ask(store: Any, start: Callable[[], Any]) -> None:
    store.promote(served(1))
    assert start().call(INPUT, **identity("any")).status == 200


class Objects:
    """S3 with one file, or away."""

    def __init__(self, content: bytes | None = None, away: bool = False) -> None:
        self.content, self.away, self.reads = content, away, 0

    def get(self, key: str, *, seconds: float, max_bytes: int, etag: str | None = None) -> S3Object | None:
        self.reads += 1
        if self.away:
            raise S3Unavailable("away")
        if self.content is None:
            raise S3Missing(key)
        found = str(hash(self.content))
        return None if etag == found else S3Object(self.content, found)

    def fetch(self, *_: Any, **__: Any) -> None:
        raise AssertionError("the file is small")


class Now:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def event(key: str) -> dict[str, Any]:
    return identity(key)


@pytest.fixture
def now() -> Now:
    return Now()


def access_to(objects: Objects, now: Now) -> Access:
    return Access(objects, lambda *_, **__: None, now)


def test_a_known_key_costs_one_read_in_a_minute(now: Now) -> None:
    objects = Objects(grants_to_json({"k": Grant("predict")}))
    access = access_to(objects, now)
    for _ in range(1000):
        assert access.grant(event("k")) == Grant("predict")
    assert objects.reads == 1
    now.seconds += REFRESH_SECONDS
    access.grant(event("k"))
    assert objects.reads == 2


def test_a_new_key_counts_at_once_and_a_revoked_one_not_after_a_minute(now: Now) -> None:
    from mlops.domain.errors import Forbidden

    objects = Objects(grants_to_json({"old": Grant("predict")}))
    access = access_to(objects, now)
    access.grant(event("old"))
    objects.content = grants_to_json({"new": Grant("predict")})
    for _ in range(100):
        with pytest.raises(Forbidden):
            access.grant(event("new"))
    assert objects.reads == 1, "an unknown key does not cost a read per request"
    now.seconds += UNKNOWN_SECONDS
    assert access.grant(event("new")) == Grant("predict")
    with pytest.raises(Forbidden):
        access.grant(event("old"))


def test_while_s3_is_away_the_last_grants_hold(now: Now) -> None:
    objects = Objects(grants_to_json({"k": Grant("predict")}))
    access = access_to(objects, now)
    access.grant(event("k"))
    objects.away, now.seconds = True, 10 * REFRESH_SECONDS
    assert access.grant(event("k")) == Grant("predict")


@pytest.mark.parametrize("spoiled", [b"", b"{", b"[]", b'{"keys": []}', b'{"keys": {"k": {"role": "admin"}}}'])
def test_a_file_that_cannot_be_read_opens_nothing(now: Now, spoiled: bytes) -> None:
    from mlops.domain.errors import DependencyUnavailable

    objects = Objects(spoiled)
    access = access_to(objects, now)
    for _ in range(10):
        with pytest.raises(DependencyUnavailable):
            access.grant(event("k"))
    assert objects.reads == 1, "it is not read again for each request"
    objects.content, now.seconds = grants_to_json({"k": Grant("predict")}), 2 * UNKNOWN_SECONDS
    assert access.grant(event("k")) == Grant("predict")
    objects.content, now.seconds = spoiled, now.seconds + REFRESH_SECONDS
    assert access.grant(event("k")) == Grant("predict"), "the last ones hold"
