"""The file of grants follows the table of keys, whoever has changed it."""

from typing import Any

import boto3
import pytest

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.grants_file import GrantsFile
from mlops.domain.access import ACCESS_KEY, Grant, grants_from_json, grants_to_json
from reconcile.stale_grants import StaleGrants
from tests.support.tables import make_table

BUCKET = "artifacts"


@pytest.fixture
def keys(aws: None) -> Any:
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    return make_table("AccessKeysTable", "keys")


@pytest.fixture
def part(keys: Any) -> StaleGrants:
    return StaleGrants(GrantsFile(DynamoTable(keys), BUCKET))


def write(data: bytes) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key=ACCESS_KEY, Body=data)


def written() -> dict[str, Grant]:
    return grants_from_json(boto3.client("s3").get_object(Bucket=BUCKET, Key=ACCESS_KEY)["Body"].read())


@pytest.mark.parametrize("before", [b"{", grants_to_json({}), grants_to_json({"gone": Grant("admin")})])
def test_a_file_that_differs_is_written_again(keys: Any, part: StaleGrants, before: bytes) -> None:
    write(before)
    keys.put_item(Item={"key_id": "a", "name": "a", "role": "read", "owner": "a", "models": ["churn*"]})
    keys.put_item(Item={"key_id": "b", "name": "b", "role": "train"})
    keys.put_item(Item={"key_id": "c", "name": "no role"})
    assert part.look() == [ACCESS_KEY]
    assert written() == {"a": Grant("read", ("churn*",)), "b": Grant("train")}
    assert part.look() == [], "it is the same now"


def test_a_stack_without_the_file_gets_none(keys: Any, part: StaleGrants) -> None:
    keys.put_item(Item={"key_id": "a", "name": "a", "role": "read"})
    assert part.look() == []
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=BUCKET)
