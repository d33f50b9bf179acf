"""Signatures are those of Standard Webhooks."""

import base64
import hashlib
import hmac
import json
import time

import pytest
import standardwebhooks

from mlops.domain.webhooks.signature import headers, new_secret

BODY = b'{"type":"job.failed","data":{"name":"\xc3\xa4"}}'


def accepts(secret: str, given: dict[str, str], body: bytes) -> bool:
    """Check a message as the specification tells a receiver to: any of the signatures of the version v1 will do."""
    key = base64.b64decode(secret.split("_", 1)[1], validate=True)
    signed = b".".join((given["webhook-id"].encode(), given["webhook-timestamp"].encode(), body))
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return any(
        version == "v1" and hmac.compare_digest(signature, expected)
        for version, _, signature in (each.partition(",") for each in given["webhook-signature"].split(" "))
    )


def test_the_published_example() -> None:
    """The example that the libraries of Standard Webhooks are tested with."""
    made = headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (made["webhook-id"], made["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def test_a_receiver_with_either_secret_accepts_a_message() -> None:
    old, new = new_secret(), new_secret()
    made = headers("msg_1", int(time.time()), BODY, [new, old])
    assert accepts(old, made, BODY)
    assert accepts(new, made, BODY)
    assert not accepts(new_secret(), made, BODY)
    assert not accepts(new, made, BODY + b" ")
    assert not accepts(new, {**made, "webhook-id": "msg_2"}, BODY)
    assert not accepts(new, {**made, "webhook-timestamp": "1"}, BODY)


def test_a_library_of_the_specification_accepts_a_message() -> None:
    old, new = new_secret(), new_secret()
    made = headers("msg_1", int(time.time()), BODY, [new, old])
    for secret in (old, new):
        assert standardwebhooks.Webhook(secret).verify(BODY, made) == json.loads(BODY)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(new_secret()).verify(BODY, made)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(new).verify(BODY, headers("msg_1", int(time.time()) - 3600, BODY, [new]))


def test_secrets_are_random_and_as_long_as_the_specification_wants() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64 for secret in secrets)
