"""Services that LocalStack sets up otherwise: DynamoDB as a Java program that it downloads, S3 in one place for all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from threading import Lock
from typing import Any

from localstack.aws.api.dynamodb import DynamodbApi
from localstack.aws.forwarder import ForwardingFallbackDispatcher
from localstack.services.moto import call_moto
from localstack.services.plugins import Service, aws_provider
from localstack.services.s3.provider import S3Provider
from localstack.services.s3.storage.ephemeral import EphemeralS3ObjectStore

# moto looks at an item and writes it in steps: a condition only holds if no other request comes between.
_one_at_a_time = Lock()


@aws_provider(api="dynamodb", name="moto")  # type: ignore[untyped-decorator]
def dynamodb() -> Service:
    """PROVIDER_OVERRIDE_DYNAMODB=moto: by moto, which LocalStack brings."""
    return Service.for_provider(DynamodbApi(), dispatch_table_factory=_dispatch_table)


@aws_provider(api="s3", name="folder")  # type: ignore[untyped-decorator]
def s3() -> Service:
    """PROVIDER_OVERRIDE_S3=folder: in the temporary folder of this process; its own is one below /tmp for all."""
    return Service.for_provider(S3Provider(EphemeralS3ObjectStore(str(Path(tempfile.gettempdir()) / "s3"))))


def _dispatch_table(provider: Any) -> Any:
    def ask_moto(context: Any, request: Any) -> Any:
        with _one_at_a_time:
            return call_moto(context)

    return ForwardingFallbackDispatcher(provider, ask_moto)
