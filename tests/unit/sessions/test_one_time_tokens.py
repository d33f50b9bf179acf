"""One-time tokens: made with a key, spent once, within a minute, while the key holds."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from sessions import one_time_tokens
from sessions.one_time_tokens import HOLDS_SECONDS
from tests.unit.sessions.conftest import Answer, Place

Send = Callable[..., Answer]
SHARE = "c2hhcmU_-"


@pytest.fixture
def key(place: Place) -> str:
    """A key that may only predict, and one model."""
    place.table.put_item(Item={"key_id": "k", "name": "ci", "role": "predict", "models": ["churn"], "owner": "ci"})
    return "k"


def stored() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = boto3.resource("dynamodb").Table("tokens").scan()["Items"]
    return items


def test_a_token_gives_out_its_share_once(send: Send, key: str) -> None:
    status, made, headers = send("POST", "/session/tokens", {"share": SHARE}, key=key)
    assert (status, headers["cache-control"]) == (201, "no-store")
    (item,) = stored()
    assert item["hash"] == hashlib.sha256(made["token"].encode()).hexdigest()
    assert made["token"] not in json.dumps(item, default=str), "only its hash is stored"
    assert abs(int(item["until"]) - time.time() - HOLDS_SECONDS) < 5
    status, answer, headers = send("POST", "/session/token", {"token": made["token"]}, key=None)
    assert (status, answer, headers["cache-control"]) == (200, {"share": SHARE}, "no-store")
    assert stored() == []
    status, answer, _ = send("POST", "/session/token", {"token": made["token"]}, key=None)
    assert (status, answer["code"]) == (401, "invalid_token")
    assert "used before" in answer["detail"]
    assert "`mlops console`" in answer["detail"]


def test_tokens_are_different_and_do_not_spend_each_other(send: Send, key: str) -> None:
    first, second = (send("POST", "/session/tokens", {"share": share}, key=key)[1]["token"] for share in ("a", "b"))
    assert first != second
    assert send("POST", "/session/token", {"token": second}, key=None)[1] == {"share": "b"}
    assert send("POST", "/session/token", {"token": first}, key=None)[1] == {"share": "a"}


def test_of_many_at_once_one_gets_it(send: Send, key: str) -> None:
    token = send("POST", "/session/tokens", {"share": SHARE}, key=key)[1]["token"]
    tokens, given, refused = one_time_tokens._one_time_tokens(), [], []

    def spend() -> None:
        try:
            given.append(tokens.spend(token))
        except one_time_tokens.InvalidToken:
            refused.append(token)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (given, len(refused)) == ([SHARE], 7)


def test_an_old_token_gives_nothing_though_its_item_is_still_there(
    send: Send, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = send("POST", "/session/tokens", {"share": SHARE}, key=key)[1]["token"]
    later = time.time() + HOLDS_SECONDS + 1
    monkeypatch.setattr(one_time_tokens._one_time_tokens(), "_clock", lambda: later)
    assert send("POST", "/session/token", {"token": token}, key=None)[0] == 401
    assert len(stored()) == 1, "the time to live of the table removes it"


def test_a_revoked_key_gives_nothing(place: Place, send: Send, key: str) -> None:
    token = send("POST", "/session/tokens", {"share": SHARE}, key=key)[1]["token"]
    place.table.delete_item(Key={"key_id": key})
    status, answer, _ = send("POST", "/session/token", {"token": token}, key=None)
    assert (status, "was revoked" in answer["detail"], "share" in answer) == (403, True, False)


def test_a_personal_key_that_has_ended_gives_nothing(place: Place, send: Send) -> None:
    item = {"key_id": "p", "name": "ann", "role": "read", "models": ["*"], "owner": "ann"}
    place.table.put_item(Item=item | {"until": int(time.time()) + 100})
    token = send("POST", "/session/tokens", {"share": SHARE}, key="p")[1]["token"]
    place.table.put_item(Item=item | {"until": int(time.time()) - 1})
    status, answer, _ = send("POST", "/session/token", {"token": token}, key=None)
    assert (status, answer["code"]) == (401, "session_expired")


def test_no_token_without_a_key_that_has_a_role(send: Send) -> None:
    assert send("POST", "/session/tokens", {"share": SHARE}, key="stranger")[0] == 403
    assert stored() == []


@pytest.mark.parametrize("share", ["", "x" * 401, "a b", "ü", None, 7])
def test_what_is_no_share_is_refused(send: Send, key: str, share: Any) -> None:
    status, answer, _ = send("POST", "/session/tokens", {"share": share}, key=key)
    assert (status, answer["errors"][0]["field"]) == (422, "share")
    assert stored() == []


@pytest.mark.parametrize("token", ["", "x" * 201, None])
def test_what_is_no_token_is_refused(send: Send, place: Place, token: Any) -> None:
    status, answer, _ = send("POST", "/session/token", {"token": token}, key=None)
    assert (status, answer["errors"][0]["field"]) == (422, "token")


def test_the_log_has_neither_token_nor_share(send: Send, key: str, caplog: pytest.LogCaptureFixture) -> None:
    token = send("POST", "/session/tokens", {"share": SHARE}, key=key)[1]["token"]
    assert send("POST", "/session/token", {"token": token}, key=None)[0] == 200
    assert send("POST", "/session/token", {"token": token}, key=None)[0] == 401
    log = str([vars(record) for record in caplog.records])
    assert ("one-time token made" in log, "one-time token spent" in log) == (True, True)
    assert (token in log, SHARE in log) == (False, False)
