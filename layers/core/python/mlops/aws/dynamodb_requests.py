"""What requests to DynamoDB have: items with plain Python values, and expressions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from boto3.dynamodb.conditions import ConditionBase, ConditionExpressionBuilder

Item = dict[str, Any]
Key = Mapping[str, Any]


@dataclass(frozen=True)
class Put:
    """An item to write if the condition holds. Attributes that are None are left out."""

    item: Item
    condition: ConditionBase | None = None

    def request(self) -> dict[str, Any]:
        """Return the arguments of DynamoDB's PutItem."""
        given = {name: value for name, value in self.item.items() if value is not None}
        return {"Item": to_item(given), **_Expressions().arguments(condition=self.condition)}


@dataclass(frozen=True)
class Update:
    """Changes of one item, which is created if it does not exist.

    Attributes:
        key: The item's key.
        values: Attributes to set; those that are None are left as they are.
        once: Attributes to set if the item does not have them.
        add: Whole numbers to add to numbers, and texts to add to sets.
        discard: Texts to take out of sets; a set that becomes empty is removed.
        remove: Attributes to remove.
        condition: A condition on the item before the change.
    """

    key: Key
    values: Mapping[str, Any] = field(default_factory=dict)
    once: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, int | set[str]] = field(default_factory=dict)
    discard: Mapping[str, set[str]] = field(default_factory=dict)
    remove: Sequence[str] = ()
    condition: ConditionBase | None = None

    def request(self) -> dict[str, Any]:
        """Return the arguments of DynamoDB's UpdateItem."""
        given = {name: value for name, value in self.values.items() if value is not None}
        first = {name: value for name, value in self.once.items() if name not in given}
        texts = _Expressions()
        clauses = {
            "SET": [
                *(f"{texts.name(name)}={texts.value(value)}" for name, value in given.items()),
                *(
                    f"{(attribute := texts.name(name))}=if_not_exists({attribute},{texts.value(value)})"
                    for name, value in first.items()
                ),
            ],
            "ADD": [f"{texts.name(name)} {texts.value(value)}" for name, value in self.add.items()],
            "DELETE": [f"{texts.name(name)} {texts.value(value)}" for name, value in self.discard.items()],
            "REMOVE": [texts.name(name) for name in self.remove],
        }
        # Without optional spaces: an expression may have 4 KB, and many counts need almost as much.
        update = " ".join(f"{verb} {','.join(parts)}" for verb, parts in clauses.items() if parts)
        return {"Key": dict(self.key), **texts.arguments(update, self.condition)}


@dataclass(frozen=True)
class Delete:
    """An item to delete if the condition holds."""

    key: Key
    condition: ConditionBase | None = None

    def request(self) -> dict[str, Any]:
        """Return the arguments of DynamoDB's DeleteItem."""
        return {"Key": dict(self.key), **_Expressions().arguments(condition=self.condition)}


@dataclass(frozen=True)
class ConditionCheck:
    """A condition on an item that a transaction does not change."""

    key: Key
    condition: ConditionBase

    def request(self) -> dict[str, Any]:
        """Return the arguments of the check in DynamoDB's TransactWriteItems."""
        return {"Key": dict(self.key), **_Expressions().arguments(condition=self.condition)}


Write = Put | Update | Delete | ConditionCheck


class _Expressions:
    """The expressions of a request. Names and values are numbered placeholders, because counts may have any name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def name(self, attribute: str) -> str:
        placeholder = f"#{len(self._names)}"
        self._names[placeholder] = attribute
        return placeholder

    def value(self, value: Any) -> str:
        placeholder = f":{len(self._values)}"
        self._values[placeholder] = to_item(value)
        return placeholder

    def arguments(self, update: str = "", condition: ConditionBase | None = None) -> dict[str, Any]:
        """Return the arguments with the expressions, and the names and values of their placeholders."""
        names, values = dict(self._names), dict(self._values)
        texts = {"UpdateExpression": update} if update else {}
        if condition is not None:
            # boto3 does this for single writes, not for those of a transaction. Its placeholders are #n0, :v0.
            built = ConditionExpressionBuilder().build_expression(condition)
            texts["ConditionExpression"] = built.condition_expression
            names |= built.attribute_name_placeholders
            values |= to_item(built.attribute_value_placeholders)
        maps = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        return {**texts, **{argument: given for argument, given in maps.items() if given}}


def to_item(value: Any) -> Any:
    """Turn floats into Decimals, as DynamoDB needs them.

    DynamoDB has no numbers for NaN, infinities and magnitudes beyond 1e-130 and 1e126, so these become text.
    """
    if isinstance(value, float):
        decimal = Decimal(repr(float(value)))  # numpy's floats have another text
        representable = decimal.is_finite() and (not decimal or -130 <= decimal.adjusted() <= 125)
        return decimal if representable else str(value)
    if isinstance(value, dict):
        return {key: to_item(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_item(entry) for entry in value]
    return value


def from_item(value: Any) -> Any:
    """Turn Decimals back into int or float: the inverse of `to_item`."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, dict):
        return {key: from_item(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [from_item(entry) for entry in value]
    return value
