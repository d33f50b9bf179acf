"""Tables by their addresses: a prefix of files, what is no table, and `python -m trainer describe`."""

import json
from pathlib import Path

import boto3
import pytest

from mlops_data.errors import DataError
from mlops_data.options import DataOptions
from tests.support.customers import CUSTOMERS, ROWS, csv_of, parquet_of
from trainer import data, describe


def test_options_of_a_table_are_refused_for_digits():
    with pytest.raises(DataError, match="digits: target: the data set has no named columns"):
        data.load("digits", DataOptions(target="x"))


@pytest.mark.usefixtures("aws")
def test_a_prefix_of_parquet_files_is_one_table_with_its_partitions():
    s3 = boto3.client("s3")
    for year in (2024, 2025):
        half = slice(0, 50) if year == 2024 else slice(50, 100)
        part = {name: cells[half] for name, cells in CUSTOMERS.items()}
        s3.put_object(Bucket="artifacts", Key=f"sets/churn/year={year}/part 0.parquet", Body=parquet_of(part))
    s3.put_object(Bucket="artifacts", Key="sets/churn/_SUCCESS", Body=b"")
    s3.put_object(Bucket="artifacts", Key="sets/churn2/x.parquet", Body=b"not this one")
    dataset = data.load("s3://artifacts/sets/churn/")
    validation = dataset.validation
    assert validation is not None
    assert len(dataset.train) + len(dataset.held_out) + len(validation) == ROWS
    assert {feature.name for feature in dataset.feature_columns} >= {"age", "year"}
    with pytest.raises(DataError, match=r"there are no files whose names end in \.parquet"):
        data.load("s3://artifacts/sets/none/")


def test_describe_prints_the_profile_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "churn.csv"
    path.write_bytes(csv_of(CUSTOMERS))
    assert describe.main([str(path), "--target", "label", "--column", "member=category"]) == 0
    profile = json.loads(capsys.readouterr().out)
    assert profile["rows"] == {"train": 70, "validation": 10, "held_out": 20}
    assert profile["left_out"][0]["name"] == "customer_id"
    assert {column["name"]: column["type"] for column in profile["columns"]}["member"] == "string"
    classes = {level["value"]: level["count"] for level in profile["target"]["classes"]}
    assert classes == {"leaves": 25, "stays": 75}
    income = next(column for column in profile["columns"] if column["name"] == "income")
    assert income["quantiles"]["min"] < income["quantiles"]["median"] < income["quantiles"]["max"]
