"""DynamoDB items as plain Python values."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

Item = dict[str, Any]


def to_item(value: Any) -> Any:
    """`value` with floats as Decimals, as DynamoDB wants them; NaN and infinities, which it has not, become text."""
    if isinstance(value, float):
        decimal = Decimal(repr(value))
        return decimal if decimal.is_finite() else str(value)
    if isinstance(value, dict):
        return {key: to_item(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_item(entry) for entry in value]
    return value


def from_item(value: Any) -> Any:
    """The inverse of `to_item`: Decimals become int or float again."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, dict):
        return {key: from_item(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [from_item(entry) for entry in value]
    return value


def query_all(table: Any, **request: Any) -> Iterator[Item]:
    """Every item that a table's query finds, as plain values; page after page, as they are taken."""
    while True:
        answer = table.query(**request)
        yield from map(from_item, answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
