"""Addresses and secrets of webhooks, in AWS Systems Manager's Parameter Store, encrypted (SecureString).

The API writes them and cannot read them; the function that delivers reads them and cannot write. A parameter never
changes: a new secret is a new parameter. So what was read once stays right.
"""

import os
import secrets
from functools import cache

import boto3


class SecretMissing(LookupError):
    """A parameter is not there: the webhook is being deleted."""


class WebhookSecrets:
    """Adapter of the parameters below `WEBHOOK_PARAMETERS`, such as `/mlops-prod/webhooks/wh_…/url`.

    Args:
        path: The beginning of the parameters' names.
        key_arn: The KMS key that encrypts; AWS's own without one.
    """

    def __init__(self, path: str, key_arn: str = "") -> None:
        self._path, self._key_arn = path, key_arn
        self._ssm = boto3.client("ssm")
        self._known: dict[str, str] = {}

    @classmethod
    def from_environment(cls) -> "WebhookSecrets":
        return _secrets_of(os.environ["WEBHOOK_PARAMETERS"], os.environ.get("WEBHOOK_KEY_ARN", ""))

    def add_url(self, webhook_id: str, url: str) -> None:
        """Store a webhook's address."""
        self._put(webhook_id, "url", url)

    def add_secret(self, webhook_id: str, secret: str) -> str:
        """Store a secret, and return its new id.

        If the process dies before the id is in the webhook's record, nothing ever reads the secret.
        """
        secret_id = f"secret-{secrets.token_hex(8)}"
        self._put(webhook_id, secret_id, secret)
        return secret_id

    def delete_secret(self, webhook_id: str, secret_id: str) -> None:
        """Delete a secret. Idempotent."""
        self._ssm.delete_parameters(Names=[self._name(webhook_id, secret_id)])

    def delete_all(self, webhook_id: str, secret_ids: list[str]) -> None:
        """Delete a webhook's address and secrets. Idempotent."""
        self._ssm.delete_parameters(Names=[self._name(webhook_id, part) for part in ("url", *secret_ids)])

    def read(self, webhook_id: str, secret_ids: list[str]) -> tuple[str, list[str]]:
        """Return a webhook's address, and the secrets of these ids.

        Raises:
            SecretMissing: One of them is not there.
        """
        names = [self._name(webhook_id, part) for part in ("url", *secret_ids)]
        if unknown := [name for name in names if name not in self._known]:
            answer = self._ssm.get_parameters(Names=unknown, WithDecryption=True)
            self._known |= {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
        try:
            url, *found = [self._known[name] for name in names]
        except KeyError as error:
            raise SecretMissing(f"Parameter Store has no parameter {error}") from error
        return url, found

    def _put(self, webhook_id: str, part: str, value: str) -> None:
        key = {"KeyId": self._key_arn} if self._key_arn else {}
        self._ssm.put_parameter(Name=self._name(webhook_id, part), Value=value, Type="SecureString", **key)

    def _name(self, webhook_id: str, part: str) -> str:
        return f"{self._path}/{webhook_id}/{part}"


@cache
def _secrets_of(path: str, key_arn: str) -> WebhookSecrets:
    return WebhookSecrets(path, key_arn)
