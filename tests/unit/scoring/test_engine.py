"""Rows of every format through the engine: answers as predict's own, and what is refused set aside with its reason."""

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from mlops.inference.model import load
from mlops.inference.table_rows import generated_table_rows
from mlops_contract import Task
from mlops_contract.onnx_file import ModelFile
from mlops_contract.table_files import FileRefused
from mlops_scoring.chunks import Part
from mlops_scoring.reading import chunks_of
from tests.support import scoring
from tests.support.scoring import COLUMNS, FORMATS, as_csv, as_json, as_parquet, rows, score
from tests.support.serving import Served
from tests.support.table_models import changed, served_table


def predicted(served: Served, asked: list[dict[str, Any]]) -> tuple[list[Any], np.ndarray[Any, Any]]:
    """What predict's own module answers to each row alone: its prediction, and its confidence or quantity."""
    from mlops.inference.answers import ModelAnswers

    model = load(served.manifest, ModelFile(served.onnx))
    assert model.encoder is not None
    made = ModelAnswers(served.manifest)
    answers = [
        made.of(model.outputs(model.encoder.encode([row]).feeds))
        for row in ({name: row[name] for name in COLUMNS if name in row} for row in asked)
    ]
    numbers = [answer.confidences[0] if answer.confidences else answer.predictions[0] for answer in answers]
    return [answer.predictions[0] for answer in answers], np.array(numbers, np.float32)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("task", Task)
def test_a_thousand_rows_have_the_answers_of_predict(name: str, task: Task, tmp_path: Path) -> None:
    served, asked = served_table(task=task), rows(1_000)
    data = FORMATS[name](asked)
    table, _, counts = score(served, {name: data}, tmp_path, ["customer_id"])
    assert (counts.rows, counts.rejected) == (1_000, 0)
    predictions, numbers = predicted(served, asked)
    column = "confidence" if task is Task.CLASSIFICATION else "prediction"
    if task is Task.CLASSIFICATION:
        assert table["prediction"].to_pylist() == predictions
    # The last product of this model is a matrix product, which may round otherwise for one row than for many.
    np.testing.assert_array_max_ulp(table[column].to_numpy(), numbers, maxulp=4)
    assert table["customer_id"].to_pylist() == [row["customer_id"] for row in asked]
    assert table["prediction_id"].to_pylist()[:2] == ["b/0/0", "b/0/1"]


def test_the_encoders_agree_to_the_last_bit(tmp_path: Path) -> None:
    """Generated rows with nulls, extremes and unseen text, as predict encodes them and as each format does."""
    from mlops_contract.rows import RowEncoder

    contract = scoring.opened(served_table()).contract
    for title, asked in generated_table_rows(contract):
        whole = [{name: row.get(name) for name in COLUMNS} for row in asked]
        expected = RowEncoder(contract).encode(whole).feeds
        for name, make in FORMATS.items():
            data = make(whole)
            path = tmp_path / name
            path.write_bytes(data)
            with path.open("rb") as file:
                (chunk,) = chunks_of(Part(name, 0, scoring.ALL), file, contract, [])
            assert chunk.inputs.refusals == {}, (title, name)
            for feed, values in expected.items():
                assert chunk.inputs.feeds[feed].dtype == values.dtype
                np.testing.assert_array_equal(chunk.inputs.feeds[feed], values, err_msg=f"{title}, {name}, {feed}")


BAD: dict[str, tuple[Any, str]] = {
    "age": (1e300, "must be a finite number"),
    "visits": (1.5, "must be a whole number"),
    "plan": ("silver", "must be one of"),
    "since": ("2024-13-01", "must be a date and time"),
}


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
@pytest.mark.parametrize("column", BAD)
def test_a_bad_row_is_set_aside_and_the_others_are_answered(name: str, column: str, tmp_path: Path) -> None:
    asked, (value, reason) = rows(300), BAD[column]
    if column == "visits":
        asked = [{**row, "visits": 1.0 if row["visits"] is None else float(row["visits"])} for row in asked]
    asked[70][column] = value
    table, rejected, counts = score(served_table(), {name: FORMATS[name](asked)}, tmp_path, ["customer_id"])
    assert (counts.rows, counts.rejected, len(table)) == (300, 1, 299)
    (found,) = rejected.to_pylist()
    assert (found["file"], found["row"], found["column"]) == (name, 71, column)
    assert found["reason"].startswith(reason)
    assert found["customer_id"] == "C00070"
    assert "C00070" not in table["customer_id"].to_pylist()
    assert "b/0/70" not in table["prediction_id"].to_pylist()


def test_parquet_rows_are_refused_by_value(tmp_path: Path) -> None:
    asked = rows(200)
    asked[3]["age"], asked[4]["visits"], asked[5]["plan"], asked[6]["plan"] = 1e39, 2**25, None, "silver"
    data = as_parquet(asked)
    table, rejected, _ = score(served_table(), {"x.parquet": data}, tmp_path)
    assert [(row["row"], row["column"], row["value"]) for row in rejected.to_pylist()] == [
        (4, "age", "1e+39"),
        (5, "visits", "33554432"),
        (6, "plan", None),
        (7, "plan", "silver"),
    ]
    assert len(table) == 196


def test_lines_that_cannot_be_read_are_set_aside_under_their_own_number(tmp_path: Path) -> None:
    lines = as_csv(rows(20)).splitlines()
    lines[3] += b",one more"
    lines[7] = b"only one"
    lines.append(b"the,last")
    table, rejected, counts = score(served_table(), {"x.csv": b"\n".join(lines)}, tmp_path, ["customer_id"])
    assert [(row["row"], row["customer_id"]) for row in rejected.to_pylist()] == [(3, None), (7, None), (21, None)]
    assert "9 cells, and the header has 8" in rejected["reason"][0].as_py()
    assert (counts.rows, counts.rejected, len(table)) == (21, 3, 18)
    objects = as_json(rows(20)).splitlines()
    objects[4] = b'{"age": 1, "age": 2}'
    objects[5] = b"[1]"
    _, rejected, _ = score(served_table(), {"x.jsonl": b"\n".join(objects)}, tmp_path)
    assert rejected["row"].to_pylist() == [5, 6]


def test_packed_text_and_other_delimiters_are_read(tmp_path: Path) -> None:
    data = as_csv(rows(50))
    csv.write_csv(pa.Table.from_pylist(rows(50)), tmp_path / "made", csv.WriteOptions(delimiter=";"))
    semicolons = (tmp_path / "made").read_bytes()
    plain, _, _ = score(served_table(), {"x.csv": data}, tmp_path)
    packed, _, _ = score(served_table(), {"x.csv.gz": gzip.compress(data)}, tmp_path)
    assert packed.equals(plain)
    other, _, counts = score(served_table(), {"x.csv": semicolons}, tmp_path)
    assert counts.rejected == 0
    assert other["prediction"].equals(plain["prediction"])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.parquet", b"age,job\n1,2\n", "is no Parquet file"),
        ("x.csv", b"PAR1\x00\x00\x80\n", "is no CSV file"),
        ("x.csv", b"age,job\n1,2\n", "has no column 'visits' (and 3 others), which the model needs"),
        ("x.csv", b"", "its first line must have the names of the columns"),
        ("x.csv.gz", b"age\n", "cannot be read as CSV"),
        ("x.xlsx", b"", "its name does not say what it is"),
    ],
)
def test_a_file_that_cannot_be_scored_is_named(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        score(served_table(), {name: data}, tmp_path)
    assert str(refused.value).startswith(name)
    assert message in str(refused.value)


def test_a_column_of_another_type_is_refused_as_a_whole(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([{**row, "age": "forty"} for row in rows(5)])
    parquet.write_table(table, tmp_path / "made")
    with pytest.raises(FileRefused, match="the column 'age' has the type string, and must have numbers"):
        score(served_table(), {"x.parquet": (tmp_path / "made").read_bytes()}, tmp_path)


def test_row_groups_belong_to_the_part_in_which_they_begin() -> None:
    data = as_parquet(rows(1_000), row_group_size=100)
    contract = scoring.opened(served_table()).contract
    numbers: list[int] = []
    for start in range(0, len(data), 7_000):
        with io.BytesIO(data) as file:
            for chunk in chunks_of(Part("x.parquet", start, start + 7_000), file, contract, []):
                numbers += chunk.rows.tolist()
    assert numbers == list(range(1, 1_001))


def test_numbers_without_an_answer_are_set_aside(tmp_path: Path) -> None:
    served = served_table(columns=changed("age", low=None, high=None), task=Task.REGRESSION)
    asked = rows(30)
    asked[8]["age"] = 3.4e38
    asked[8]["visits"] = 16_000_000
    _, rejected, counts = score(served, {"x.jsonl": as_json(asked)}, tmp_path)
    assert counts.rejected == len(rejected) <= 1


def test_probabilities_have_a_column_for_each_class(tmp_path: Path) -> None:
    data = as_json(rows(10))
    table, _, _ = score(served_table(), {"x.jsonl": data}, tmp_path, probabilities=True)
    highest = np.maximum(table["probability_stays"].to_numpy(), table["probability_leaves"].to_numpy())
    np.testing.assert_array_equal(highest, table["confidence"].to_numpy())
