"""The one table helper, on moto's DynamoDB."""

import math
from typing import Any

import boto3
import numpy as np
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import Put, Update
from mlops.aws.transient import CONDITION_FAILED, error_codes


@pytest.fixture
def table(aws: None) -> DynamoTable:
    made = boto3.resource("dynamodb").create_table(
        TableName="things",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("owner", "id")],
        KeySchema=[{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
    )
    return DynamoTable(made)


def key(number: int = 1) -> dict[str, str]:
    return {"owner": "ann", "id": f"{number:03}"}


def test_values_come_back_as_they_went_in(table: DynamoTable) -> None:
    values: dict[str, Any] = {"whole": 3, "part": 0.1, "large": 1e125, "list": [1, 2.5, {"deep": "text"}], "yes": True}
    assert table.put({**key(), **values, "absent": None})
    assert table.get(key()) == {**key(), **values}
    assert table.get(key(), ["part", "list"]) == {"part": 0.1, "list": values["list"]}
    assert table.get(key(2)) is None


def test_what_dynamodb_has_not_becomes_text(table: DynamoTable) -> None:
    table.put({**key(), "metrics": {"nan": math.nan, "infinite": -math.inf, "large": 1e300, "small": -5e-324}})
    stored = (table.get(key()) or {})["metrics"]
    assert stored == {"nan": "nan", "infinite": "-inf", "large": "1e+300", "small": "-5e-324"}


def test_numbers_of_numpy_which_libraries_report_as_losses_are_numbers(table: DynamoTable) -> None:
    table.put({**key(), "losses": {"val_loss": np.float64(0.1)}})
    assert table.get(key()) == {**key(), "losses": {"val_loss": 0.1}}


def test_an_update_sets_sets_once_adds_and_removes(table: DynamoTable) -> None:
    table.put({**key(), "status": "queued", "open": "1", "tries": 1, "by": "ann"})
    updated = table.update(
        key(),
        {"status": "done", "by": None},
        once={"status": "lost", "ended": "now"},
        add={"tries": 2},
        remove=["open"],
    )
    assert updated == table.get(key()) == {**key(), "status": "done", "by": "ann", "ended": "now", "tries": 3}
    assert (table.update(key(), once={"ended": "later"}) or {})["ended"] == "now"


def test_a_condition_that_does_not_hold_changes_nothing(table: DynamoTable) -> None:
    assert table.update(key(), {"status": "done"}, condition=Attr("id").exists()) is None
    assert table.get(key()) is None
    assert table.put({**key(), "status": "new"}, Attr("id").not_exists())
    assert not table.put({**key(), "status": "newer"}, Attr("id").not_exists())
    assert (table.get(key()) or {})["status"] == "new"


def test_any_other_refusal_is_an_error(table: DynamoTable) -> None:
    with pytest.raises(Exception, match="ValidationException"):
        table.update({"owner": "ann"}, {"status": "done"})


def test_pages_counts_and_queries_agree(table: DynamoTable) -> None:
    for number in range(25):
        table.put({**key(number), "even": number % 2 == 0})
    mine = Key("owner").eq("ann")
    first = table.page(mine, 10)
    second = table.page(mine, 10, first.next_key)
    last = table.page(mine, 10, second.next_key)
    assert (len(first.items), len(second.items), len(last.items), last.next_key) == (10, 10, 5, None)
    assert [*first.items, *second.items, *last.items] == list(table.query(mine))
    assert table.count(mine) == 25
    assert table.count(mine, FilterExpression=Attr("even").eq(True)) == 13
    assert table.page(mine, 1, ScanIndexForward=False).items == [{**key(24), "even": True}]


def test_many_items_are_read_at_once(table: DynamoTable) -> None:
    for number in range(120):
        table.put({**key(number), "n": number})
    read = table.get_many([key(number) for number in range(130)])
    assert sorted(item["n"] for item in read) == list(range(120))


def test_deleting_twice_is_no_error(table: DynamoTable) -> None:
    table.put(key())
    table.delete(key())
    table.delete(key())
    assert table.get(key()) is None


def test_attributes_of_any_name_are_updated(table: DynamoTable) -> None:
    names = ["p:class 7", "404/no_model", "size", "#0", ":0", "n0", "ä"]
    table.update(key(), {"s:et": "x"}, once={"on ce": 1}, add=dict.fromkeys(names, 2))
    assert table.get(key()) == {**key(), "s:et": "x", "on ce": 1, **dict.fromkeys(names, 2)}
    once_more = table.update(
        key(), add={"size": 1}, remove=["p:class 7"], condition=Attr("n0").eq(2) & Attr("ä").gt(1.5)
    )
    assert once_more is not None
    assert ("p:class 7" in once_more, once_more["size"]) == (False, 3)


def test_a_transaction_writes_all_or_nothing_and_says_which_write_failed(table: DynamoTable) -> None:
    table.put({**key(1), "spent": 0.5})
    new = Put({**key(2), "share": 0.25, "absent": None}, Attr("id").not_exists())
    spend = Update(key(1), {"by": "ann"}, add={"count": 1}, condition=Attr("spent").lt(0.75) & Attr("by").not_exists())
    table.transact([new, spend])
    assert table.get(key(2)) == {**key(2), "share": 0.25}
    assert table.get(key(1)) == {**key(1), "spent": 0.5, "by": "ann", "count": 1}
    free = Update(key(3), {"by": "bob"})
    for writes, reasons in (([free, new], ["None", CONDITION_FAILED]), ([spend, free], [CONDITION_FAILED, "None"])):
        with pytest.raises(ClientError) as refused:
            table.transact(writes)
        assert error_codes(refused.value) == reasons
    assert table.get(key(3)) is None
    assert (table.get(key(1)) or {})["count"] == 1
