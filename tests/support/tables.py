"""DynamoDB tables for tests, with the keys and indexes that the template gives them."""

from functools import cache
from typing import Any

import boto3

from infra.local.packaging import read_template
from infra.local.settings import ROOT

SCHEMA = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def make_table(logical_id: str, name: str, region: str | None = None) -> Any:
    """Create the table that the template calls `logical_id` under `name`, where the environment says that AWS is.

    `region` is for callers whose environment names none.
    """
    properties = _resources()[logical_id]["Properties"]
    schema = {field: properties[field] for field in SCHEMA if field in properties}
    return boto3.resource("dynamodb", region_name=region).create_table(TableName=name, **schema)


@cache
def _resources() -> dict[str, Any]:
    resources: dict[str, Any] = read_template(ROOT / "template.yaml")["Resources"]
    return resources
