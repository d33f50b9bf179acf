"""Signing in with a token: the key that comes of it, and all that is no reason to get one."""

import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64encode

from mlops.api.auth import AccessKeys
from mlops.api.schemas.sessions import MAX_TOKEN_LENGTH
from mlops.domain.access import Grant
from mlops.domain.errors import SessionExpired
from sessions import personal_keys, signing_in
from sessions.personal_keys import HOLDS_SECONDS, MOST_KEYS
from tests.support.oidc_issuer import Issuer, encoded, rsa_key
from tests.unit.sessions.conftest import STACK, Answer, Place

SignIn = Callable[..., Answer]


def test_a_token_gives_a_key_for_twelve_hours(place: Place, issuer: Issuer, sign_in: SignIn) -> None:
    status, session, headers = sign_in(issuer.token())
    assert status == 201, session
    assert headers["cache-control"] == "no-store"
    (item,) = place.items()
    key_id = item["key_id"]
    until = int(item["until"])
    assert abs(until - time.time() - HOLDS_SECONDS) < 10
    assert session == {
        "key": place.gateway.get_api_key(apiKey=key_id, includeValue=True)["value"],
        "name": "ann@example.com",
        "owner": "ann@example.com",
        "role": "train",
        "models": ["churn*", "fraud"],
        "until": datetime.fromtimestamp(until, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    assert place.plan_keys() == [key_id]
    assert place.gateway.get_api_key(apiKey=key_id)["name"] == f"{STACK}-ann@example.com"
    assert place.grants() == {key_id: Grant("train", ("churn*", "fraud"), until)}
    caller = AccessKeys.from_environment().caller(key_id)
    assert (caller.owner, caller.role, caller.until) == ("ann@example.com", "train", until)


def test_the_keys_of_others_stay_in_the_file(place: Place, issuer: Issuer, sign_in: SignIn) -> None:
    place.table.put_item(Item={"key_id": "k", "name": "ci", "role": "predict", "models": ["digits"], "owner": "ci"})
    assert sign_in(issuer.token())[0] == 201
    assert place.grants()["k"] == Grant("predict", ("digits",))
    assert len(place.grants()) == 2


def unsigned(issuer: Issuer, header: Any, signature: str = "", **changes: Any) -> str:
    return f"{encoded(header)}.{encoded(issuer.claims(**changes))}.{signature}"


def with_a_public_key_as_password(issuer: Issuer) -> str:
    signed = unsigned(issuer, {"alg": "HS256", "kid": "first"}).rstrip(".")
    digest = hmac.digest(issuer.keys[0].as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(digest).decode()}"


def now() -> int:
    return int(time.time())


FOREIGN = rsa_key("first")
CURVE = ECKey.generate_key("P-256", {"kid": "first"}, private=True)
OWN_KEY = {"alg": "RS256", "kid": "first", "jwk": FOREIGN.as_dict(private=False)}
CRITICAL = {"alg": "RS256", "kid": "first", "crit": ["x"], "x": 1}
NESTED = urlsafe_b64encode(b"[" * 3000).decode()

HOSTILE: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "another issuer": (lambda by: by.token(iss="https://evil.example.com"), "OidcIssuer"),
    "another audience": (lambda by: by.token(aud="another"), "OidcAudience"),
    "an issuer that is a list": (lambda by: by.token(iss=[by.issuer]), "OidcIssuer"),
    "no audience": (lambda by: by.token(aud=None), "no claim 'aud'"),
    "no issuer": (lambda by: by.token(iss=None), "no claim 'iss'"),
    "no subject": (lambda by: by.token(sub=None), "no claim 'sub'"),
    "expired": (lambda by: by.token(exp=now() - 61), "has expired"),
    "no end": (lambda by: by.token(exp=None), "no claim 'exp'"),
    "an end that is a text": (lambda by: by.token(exp="never"), "claim 'exp'"),
    "not yet valid": (lambda by: by.token(nbf=now() + 120), "not valid yet"),
    "issued later": (lambda by: by.token(iat=now() + 120), "in the future"),
    "algorithm none": (lambda by: unsigned(by, {"alg": "none", "kid": "first"}), "algorithm is 'none'"),
    "algorithm null": (lambda by: unsigned(by, {"alg": None, "kid": "first"}), "algorithm is None"),
    "no algorithm": (lambda by: unsigned(by, {"kid": "first"}), "not a signed token"),
    "the public key as a password": (with_a_public_key_as_password, "algorithm is 'HS256'"),
    "another key of the same id": (lambda by: by.token(key=FOREIGN), "signature"),
    "a key in its own header": (lambda by: by.token(key=FOREIGN, headers=OWN_KEY), "signature"),
    "a curve in place of RSA": (lambda by: by.token(key=CURVE, headers={"alg": "ES256", "kid": "first"}), "signature"),
    "no key id": (lambda by: by.token(headers={"alg": "RS256"}), "no kid"),
    "a key id that is a number": (lambda by: by.token(headers={"alg": "RS256", "kid": 1}), "no kid"),
    "an unknown key id": (lambda by: by.token(headers={"alg": "RS256", "kid": "other"}), "does not publish"),
    "an unknown critical header": (lambda by: by.token(headers=CRITICAL), "signature"),
    "other claims under the same signature": (
        lambda by: unsigned(by, {"alg": "RS256", "kid": "first"}, by.token().split(".")[2], sub="eve"),
        "signature",
    ),
    "no signature": (lambda by: unsigned(by, {"alg": "RS256", "kid": "first"}), "signature"),
    "an encrypted token": (lambda by: f"{by.token()}.x.y", "not a signed token"),
    "an opaque token": (lambda by: "abc", "not a signed token"),
    "a header that is a list": (lambda by: unsigned(by, ["alg", "kid"]), "not a signed token"),
    "letters that are not ASCII": (lambda by: "ä.ö.ü", "not a signed token"),
    "a header that is nested deeply": (lambda by: f"{NESTED}.e30.AAAA", "not a signed token"),
}
"""How a token is made that gives no key, and what the answer says of it."""


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_token_gives_no_key(place: Place, issuer: Issuer, sign_in: SignIn, case: str) -> None:
    make, said = HOSTILE[case]
    status, answer, _ = sign_in(make(issuer))
    assert (status, answer["code"]) == (401, "invalid_token"), answer
    assert said in answer["detail"]
    assert place.items() == []
    assert place.gateway.get_api_keys()["items"] == []


@pytest.mark.parametrize("token", ["", "x" * (MAX_TOKEN_LENGTH + 1)], ids=["empty", "huge"])
def test_a_token_that_is_too_long_is_not_read(issuer: Issuer, sign_in: SignIn, token: str) -> None:
    status, answer, _ = sign_in(token)
    assert (status, answer["errors"][0]["field"]) == (422, "token")
    assert issuer.asked == []


def test_the_clocks_may_be_a_minute_apart(issuer: Issuer, sign_in: SignIn) -> None:
    assert sign_in(issuer.token(exp=now() - 50, iat=now() + 50, nbf=now() + 50))[0] == 201


def test_a_token_for_several_is_for_this_stack_too(issuer: Issuer, sign_in: SignIn) -> None:
    assert sign_in(issuer.token(aud=["account", "mlops"]))[0] == 201


@pytest.mark.parametrize(
    "groups", [None, [], ["others", "/data-science"], {"data-science": True}, [["data-science"]], 7]
)
def test_no_group_of_the_parameter_is_403(place: Place, issuer: Issuer, sign_in: SignIn, groups: Any) -> None:
    status, answer, _ = sign_in(issuer.token(groups=groups))
    assert status == 403
    assert "OidcGroups" in answer["detail"]
    assert place.items() == []
    if groups == ["others", "/data-science"]:
        assert "'others', '/data-science'" in answer["detail"], "it names the groups"


def test_one_group_may_be_a_text(issuer: Issuer, sign_in: SignIn) -> None:
    assert sign_in(issuer.token(groups="everyone"))[1]["role"] == "read"


@pytest.mark.parametrize(
    ("groups", "asked", "role", "models"),
    [
        (["everyone", "data-science"], None, "train", ["churn*", "fraud"]),
        (["everyone", "data-science"], "read", "read", ["*"]),
        (["leads", "data-science"], None, "approve", ["churn*"]),
        (["leads", "data-science"], "train", "train", ["churn*", "fraud"]),
        (["ml-admins", "data-science"], None, "admin", ["*"]),
        (["data-science"], "predict", "predict", ["churn*", "fraud"]),
    ],
)
def test_groups_together_give_no_more_than_each(
    issuer: Issuer, sign_in: SignIn, groups: list[str], asked: str | None, role: str, models: list[str]
) -> None:
    session = sign_in(issuer.token(groups=groups), role=asked)[1]
    assert (session["role"], session["models"]) == (role, models)


def test_nobody_gets_a_higher_role_by_asking(place: Place, issuer: Issuer, sign_in: SignIn) -> None:
    status, answer, _ = sign_in(issuer.token(), role="admin")
    assert (status, "'train' at most" in answer["detail"]) == (403, True)
    assert sign_in(issuer.token(), role="owner")[0] == 422
    assert place.items() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"email": None}, "'email'"),
        ({"email": ["a@example.com"]}, "'email'"),
        ({"email_verified": None}, "email_verified"),
        ({"email_verified": "true"}, "email_verified"),
        ({"email": "a/b@example.com"}, "no slash"),
        ({"email": "a\nb"}, "no slash"),
        ({"email": "x" * 101}, "100"),
    ],
)
def test_a_person_without_a_name_that_is_vouched_for_gets_no_key(
    place: Place, issuer: Issuer, sign_in: SignIn, changes: dict[str, Any], said: str
) -> None:
    status, answer, _ = sign_in(issuer.token(**changes))
    assert (status, said in answer["detail"]) == (403, True), answer
    assert place.items() == []


def test_people_can_be_named_by_another_claim(
    place: Place, issuer: Issuer, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDC_OWNER_CLAIM", "sub")
    assert sign_in(issuer.token(email_verified=False))[1]["owner"] == "subject-1"


@pytest.mark.parametrize("parameter", ["OidcIssuer", "OidcGroups"])
def test_without_its_parameters_the_route_names_them(
    issuer: Issuer, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, parameter: str
) -> None:
    monkeypatch.setenv({"OidcIssuer": "OIDC_ISSUER", "OidcGroups": "OIDC_GROUPS"}[parameter], "")
    status, answer, _ = sign_in(issuer.token())
    assert (status, parameter in answer["detail"]) == (403, True)
    assert issuer.asked == []


def test_an_issuer_that_is_away_is_503(place: Place, issuer: Issuer, sign_in: SignIn) -> None:
    issuer.answers["/keys"] = (500, {}, b"")
    status, answer, headers = sign_in(issuer.token())
    assert (status, headers["retry-after"]) == (503, "5"), answer
    issuer.answers.clear()
    assert sign_in(issuer.token())[0] == 503, "it is left alone for some seconds"
    assert issuer.asked.count("/keys") == 1
    signing_in._signing_in.cache_clear()
    assert sign_in(issuer.token())[0] == 201


def test_a_key_that_has_ended_is_refused_before_it_is_removed(
    place: Place, issuer: Issuer, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sign_in(issuer.token())[0] == 201
    (item,) = place.items()
    keys = AccessKeys(place.table)
    assert keys.caller(item["key_id"]).role == "train"
    moment = float(item["until"])
    monkeypatch.setattr(time, "time", lambda: moment)
    with pytest.raises(SessionExpired, match="sign in again"):
        keys.caller(item["key_id"])  # though it is known from before


def test_signing_out_ends_the_key_and_leaves_the_others(
    place: Place, issuer: Issuer, sign_in: SignIn, send: Callable[..., Answer]
) -> None:
    for _ in range(2):
        assert sign_in(issuer.token())[0] == 201
    first, second = place.plan_keys()
    status, answer, _ = send("DELETE", "/session", key=first)
    assert (status, answer["name"]) == (200, "ann@example.com")
    assert AccessKeys(place.table).caller(second).role == "train"
    with pytest.raises(SessionExpired):
        AccessKeys(place.table).caller(first)
    assert place.grants()[first].until <= time.time() < place.grants()[second].until  # type: ignore[operator]


def test_a_key_of_an_operator_cannot_sign_out(place: Place, send: Callable[..., Answer]) -> None:
    place.table.put_item(Item={"key_id": "k", "name": "ci", "role": "admin", "owner": "ci"})
    status, answer, _ = send("DELETE", "/session", key="k")
    assert (status, answer["code"]) == (409, "conflict")
    assert "until" not in place.items()[0]


def test_a_person_has_a_limited_number_of_keys(place: Place, issuer: Issuer, sign_in: SignIn) -> None:
    for number in range(MOST_KEYS):
        place.table.put_item(
            Item={"key_id": str(number), "role": "read", "name": "a", "owner": "ann@example.com", "until": 9**10}
        )
    place.table.put_item(Item={"key_id": "old", "role": "read", "name": "a", "owner": "bob@example.com", "until": 1})
    status, answer, _ = sign_in(issuer.token())
    assert (status, "DELETE /session" in answer["detail"]) == (409, True)
    assert place.gateway.get_api_keys()["items"] == []
    assert sign_in(issuer.token(email="bob@example.com"))[0] == 201
    place.table.update_item(
        Key={"key_id": "3"}, UpdateExpression="SET #u = :u", ExpressionAttributeNames={"#u": "until"},
        ExpressionAttributeValues={":u": int(time.time())},
    )  # fmt: skip
    assert sign_in(issuer.token())[0] == 201


def test_unknown_fields_and_parameters_are_refused(
    sign_in: SignIn, send: Callable[..., Answer], issuer: Issuer
) -> None:
    assert sign_in(issuer.token(), models=["*"])[1]["errors"][0]["field"] == "models"
    assert send("POST", "/session", {"token": issuer.token()}, role="admin")[0] == 422


class Died(Exception):
    pass


@pytest.mark.parametrize("step", ["create_api_key", "put", "write", "create_usage_plan_key"])
def test_whoever_dies_on_the_way_leaves_no_key_that_opens_more_than_it_should(
    place: Place, issuer: Issuer, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The process ends right after a step. Every key in the usage plan has an item and a grant that end."""
    keys = personal_keys._personal_keys()
    target = {"put": keys._table, "write": keys._grants}.get(step, keys._gateway)
    original = getattr(target, step)

    def dying(*arguments: Any, **options: Any) -> Any:
        original(*arguments, **options)
        raise Died

    monkeypatch.setattr(target, step, dying)
    assert sign_in(issuer.token())[0] == 500
    known = {item["key_id"]: int(item["until"]) for item in place.items()}
    assert set(place.plan_keys()) <= known.keys()
    assert len(place.plan_keys()) == (step == "create_usage_plan_key")
    granted = place.grants() if step in ("write", "create_usage_plan_key") else {}
    assert all(grant.until == known[key] for key, grant in granted.items())
    monkeypatch.setattr(target, step, original)
    assert sign_in(issuer.token())[0] == 201, "and the next try makes another one"
