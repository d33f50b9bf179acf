"""Signing in with IAM: API Gateway has verified the signature and says who it is of."""

from collections.abc import Callable

import pytest

from sessions.rules import Rule, read_rules
from tests.unit.sessions.conftest import Answer, Place

ACCOUNT = "123456789012"
SCIENCE = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Science_0a1b2c3d4e5f6071"
Send = Callable[..., Answer]


def test_a_person_of_identity_center_gets_a_key(place: Place, send: Send) -> None:
    status, session, _ = send("POST", "/session/iam", arn=f"{SCIENCE}/Ann@example.com")
    assert status == 201, session
    (item,) = place.items()
    assert place.plan_keys() == [item["key_id"]]
    assert (session["owner"], session["role"], session["models"]) == ("ann@example.com", "train", ["churn*"])


def test_all_who_use_a_role_are_one_owner(send: Send) -> None:
    """They choose the name of the session themselves, so it must not let them approve what they have asked for."""
    for name in ("ann", "bob"):
        status, session, _ = send("POST", "/session/iam", arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/{name}")
        assert (status, session["owner"], session["name"]) == (201, "ci", "ci")


def test_users_of_iam_are_named_by_their_arn(place: Place, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IAM_PRINCIPALS", f"arn:aws:iam::{ACCOUNT}:user/team/*=read")
    status, session, _ = send("POST", "/session/iam", {"role": "predict"}, arn=f"arn:aws:iam::{ACCOUNT}:user/team/ann")
    assert (status, session["owner"], session["role"]) == (201, "ann", "predict")
    assert send("POST", "/session/iam", arn=f"arn:aws:iam::{ACCOUNT}:user/ann")[0] == 403


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        (None, "not signed"),
        ("", "not signed"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/other/ann", f"arn:aws:iam::{ACCOUNT}:role/other may not"),
        ("arn:aws:sts::210987654321:assumed-role/ci/ann", "may not"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/my-ci/ann", "may not"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/a/b", "neither"),
        (f"arn:aws:iam::{ACCOUNT}:root", "neither"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/ci", "neither"),
        (f"{SCIENCE}/a\nb", "printable"),
    ],
)
def test_others_get_no_key(place: Place, send: Send, arn: str | None, said: str) -> None:
    status, answer, _ = send("POST", "/session/iam", arn=arn)
    assert (status, said in answer["detail"]) == (403, True), answer
    assert place.items() == []


def test_without_its_parameter_the_route_names_it(place: Place, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IAM_PRINCIPALS", "")
    status, answer, _ = send("POST", "/session/iam", arn=f"{SCIENCE}/ann@example.com")
    assert (status, "IamPrincipals" in answer["detail"]) == (403, True)
    assert place.items() == []


def test_rules_are_read() -> None:
    text = "CN=ml team,OU=groups=train: churn* ,fraud; a:b=read ;;*=admin:*"
    assert read_rules("OidcGroups", text) == (
        Rule("CN=ml team,OU=groups", "train", ("churn*", "fraud")),
        Rule("a:b", "read", ("*",)),
        Rule("*", "admin", ("*",)),
    )
    assert read_rules("OidcGroups", " ") == ()


@pytest.mark.parametrize(
    "text", ["a", "a=owner", "=read", "a=read:", "a=read:x*y", "a=read:,", "a=read:b=c", "a=read,b"]
)
def test_rules_that_are_not_valid_are_named(text: str) -> None:
    with pytest.raises(ValueError, match="the parameter OidcGroups has"):
        read_rules("OidcGroups", text)


def test_a_star_stands_for_any_characters_and_nothing_else_does() -> None:
    assert Rule("role/AWS_*_x", "read", ()).matches("role/AWS_a/b_x")
    assert not Rule("role/a.c", "read", ()).matches("role/abc")
    assert not Rule("role/ci", "read", ()).matches("role/ci\n")
