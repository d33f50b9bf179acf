"""Tables as people have them: the types of columns, the coded matrix, the parts, and what the profile says."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mlops_contract import ColumnType, Contract, Task
from mlops_contract import cells as contract_cells
from mlops_contract.cells import reader_of
from mlops_contract.rows import RowEncoder
from mlops_data import splitting, tables
from mlops_data.dataset import Dataset
from mlops_data.errors import DataError
from mlops_data.options import ColumnRole, DataOptions, GroupSplit, TimeSplit
from mlops_data.tables import cells as table_cells
from mlops_data.tables import counts, delimited
from tests.support.coded_rows import coded_row
from tests.support.customers import CUSTOMERS, PRICES, ROWS, Columns, csv_of, json_lines_of, parquet_of


def read(table: Columns, /, **options: object) -> Dataset:
    return tables.read("set.csv", csv_of(table), DataOptions(**options))  # type: ignore[arg-type]


def with_columns(**columns: Sequence[object]) -> dict[str, Sequence[object]]:
    """A table of a number, these columns and two classes."""
    return {"income": PRICES, **columns, "label": CUSTOMERS["label"]}


def contract_of(dataset: Dataset) -> Contract:
    assert dataset.contract is not None
    return dataset.contract


def types(dataset: Dataset) -> dict[str, str]:
    return {column.name: column.type.value for column in contract_of(dataset).columns}


def parts(dataset: Dataset) -> list[int]:
    assert dataset.validation is not None
    return [len(dataset.train), len(dataset.validation), len(dataset.held_out)]


# What a table becomes


def test_a_mixed_table_has_a_contract_and_a_coded_matrix():
    dataset = read(CUSTOMERS)
    assert types(dataset) == {
        "age": "long", "income": "double", "city": "string", "member": "boolean", "since": "datetime",
    }  # fmt: skip
    names = [feature.name for feature in dataset.feature_columns]
    assert names == ["age", "income", "member", "since.days", "since.month", "since.weekday", "since.hour", "city"]
    assert dataset.features == len(names)
    assert dataset.notes == (
        "the column 'customer_id' is left out: it is an id: 100 different texts in 100 rows",
        "the column 'country' is left out: it has the same value in all training rows",
    )
    row = coded_row(dataset, (None, PRICES[13], "Berlin", False, "2024-02-14T10:13:00"))
    everything = np.concatenate(
        [split.inputs for split in (dataset.train, dataset.held_out, dataset.validation) if split]
    )
    assert [row.tobytes()] == [found.tobytes() for found in everything if found[1] == row[1]]
    assert everything.dtype == np.float32
    assert Contract.from_document(contract_of(dataset).to_document()) == dataset.contract


def test_the_format_of_a_table_does_not_matter():
    dataset = read(CUSTOMERS)
    others = [
        tables.read_json_lines("set.jsonl", json_lines_of(CUSTOMERS)),
        tables.read_parquet("set.parquet", parquet_of(CUSTOMERS)),
    ]
    for other in others:
        assert other.digest == dataset.digest
        assert other.train.inputs.tobytes() == dataset.train.inputs.tobytes()
        assert other.contract == dataset.contract


def test_levels_are_frequent_values_of_training_rows_the_most_frequent_first():
    cities = ["b"] * 30 + ["a"] * 30 + ["c"] * 36 + ["rare"] * 3 + [""]
    dataset = read(with_columns(city=cities))
    (feature,) = (feature for feature in dataset.feature_columns if feature.column == "city")
    assert feature.levels is not None
    assert set(feature.levels) == {"a", "b", "c"}
    codes = np.concatenate(
        [split.inputs[:, 1] for split in (dataset.train, dataset.held_out, dataset.validation) if split]
    )
    counted = {city: int((codes == feature.levels.index(city)).sum()) for city in "abc"}
    assert counted == {"a": 30, "b": 30, "c": 36}
    assert ((codes == len(feature.levels)).sum(), np.isnan(codes).sum()) == (3, 1)
    assert dataset.profile is not None
    (profile,) = (column for column in dataset.profile.columns if column.name == "city")
    assert profile.levels is not None
    counts = [level.count for level in profile.levels]
    assert counts == sorted(counts, reverse=True)


def test_regression_by_the_values_of_the_target():
    dataset = read({"a": CUSTOMERS["age"], "price": PRICES}, target="price")
    assert (dataset.task, dataset.labels, dataset.train.targets.dtype) == (Task.REGRESSION, (), np.dtype(float))
    targets = np.concatenate(
        [split.targets for split in (dataset.train, dataset.held_out, dataset.validation) if split]
    )
    assert sorted(targets) == sorted(PRICES)
    assert contract_of(dataset).output == "prediction"


def test_a_request_decides_the_task_where_both_are_possible():
    thirty = {"a": PRICES, "y": [row % 30 for row in range(ROWS)]}
    with pytest.raises(DataError, match=r"30 different whole numbers can be classes or a quantity; set task to"):
        read(thirty)
    assert read(thirty, task=Task.CLASSIFICATION).labels == tuple(range(30))
    assert read(thirty, task=Task.REGRESSION).labels == ()
    with pytest.raises(DataError, match=r"line 2, column 'label': 'leaves' is not a number"):
        read(CUSTOMERS, task=Task.REGRESSION)


def test_rows_without_a_target_are_left_out_and_counted():
    targets = [None if row % 25 == 0 else row * 1.5 for row in range(ROWS)]
    dataset = read({"a": PRICES, "y": targets})
    assert sum(parts(dataset)) == ROWS - 4
    assert dataset.notes == ("4 rows without a value in 'y': left out",)
    assert dataset.profile is not None
    assert dataset.profile.target.missing == 4


# Overrides and refusals


def test_a_request_can_change_how_columns_are_read():
    columns: dict[str, ColumnRole] = {"code": "category", "flag": "boolean", "customer_id": "ignore", "big": "number"}
    cells = with_columns(
        customer_id=CUSTOMERS["customer_id"],
        code=[row % 4 for row in range(ROWS)],
        flag=[row % 2 for row in range(ROWS)],
        big=[2**30 + row % 9 for row in range(ROWS)],
    )
    dataset = read(cells, columns=columns)
    assert types(dataset) == {"income": "double", "code": "string", "flag": "boolean", "big": "double"}
    assert dataset.notes == ("the column 'customer_id' is left out: the request says so",)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"columns": {"citi": "category"}}, r"columns: there is no column 'citi'; did you mean one of city"),
        ({"target": "churn"}, r"target: there is no column 'churn'"),
        ({"weight": "w"}, r"weight: there is no column 'w'"),
        ({"columns": {"city": "number"}}, r"line 2, column 'city': 'Berlin' is not a number"),
        ({"columns": {"age": "datetime"}}, r"line 2, column 'age': '20' is not a date"),
        ({"columns": {"label": "category"}}, r"columns: 'label' is what is predicted; set task instead"),
        ({"weight": "label"}, r"weight: 'label' is what is predicted"),
        ({"weight": "age"}, r"line 5, column 'age': the weight is missing"),
        ({"held_out": GroupSplit("country")}, r"'country' has 1 group, and needs 3"),
        ({"held_out": GroupSplit("city")}, r"line 9, column 'city': the group is missing"),
        ({"held_out": TimeSplit("city", "2024-01-01")}, r"'city' has neither dates nor numbers"),
        ({"held_out": TimeSplit("since", "soon")}, r"the start 'soon' is not a date such as 2025-12-31"),
        ({"held_out": TimeSplit("since", "2030-01-01")}, r"no row is from 2030-01-01"),
    ],
)
def test_a_request_that_does_not_fit_the_table_names_the_field(options: dict[str, object], reason: str):
    with pytest.raises(DataError, match=rf"^set\.csv: .*{reason}"):
        read(CUSTOMERS, **options)


def test_options_have_bounds():
    with pytest.raises(DataError, match=r"held_out: 0\.9 is not a share"):
        DataOptions(held_out=0.9)
    with pytest.raises(DataError, match="'text' for the column 'a' is none of ignore, number"):
        DataOptions(columns={"a": "text"})  # type: ignore[dict-item]


# Parts


def test_each_class_is_in_each_part_by_its_share():
    dataset = read(with_columns(kind=[row % 3 for row in range(ROWS)]))
    assert dataset.validation is not None
    for split, shares in ((dataset.train, [18, 52]), (dataset.validation, [2, 8]), (dataset.held_out, [5, 15])):
        assert np.bincount(split.targets).tolist() == shares
    # 25 rows of one class and 75 of the other: a half of 25 is 12, and a half of 75 is 38.
    assert parts(read(CUSTOMERS, held_out=0.5)) == [40, 10, 50]


def test_the_same_file_gives_the_same_rows_each_time():
    first, second = read(CUSTOMERS), read(CUSTOMERS)
    assert first.digest == second.digest
    assert first.held_out.inputs.tobytes() == second.held_out.inputs.tobytes()
    assert read({**CUSTOMERS, "income": PRICES[::-1]}).digest != first.digest


def test_a_split_in_time_holds_out_what_is_later():
    dataset = read(CUSTOMERS, held_out=TimeSplit("since", "2024-10-01"))
    days = [feature.name for feature in dataset.feature_columns].index("since.days")
    assert dataset.validation is not None
    assert dataset.train.inputs[:, days].max() <= dataset.validation.inputs[:, days].min()
    assert dataset.validation.inputs[:, days].max() < dataset.held_out.inputs[:, days].min()
    assert len(dataset.validation) == (ROWS - len(dataset.held_out)) // 8


def test_a_split_by_group_keeps_a_group_together():
    groups = [f"g{row * row % 17}" for row in range(ROWS)]
    dataset = read(
        {**CUSTOMERS, "age": [int(group[1:]) for group in groups], "who": groups}, held_out=GroupSplit("who")
    )
    ages = [set(split.inputs[:, 0]) for split in (dataset.train, dataset.validation, dataset.held_out) if split]
    assert sum(map(len, ages)) == len(set.union(*ages)) == len(set(groups))
    assert "the column 'who' is left out: it has the groups that are kept together" in dataset.notes


@pytest.mark.parametrize("sizes", [[1, 1, 1], [90, 5, 5], [1] * 50, [40, 30, 20, 5, 5]])
def test_groups_fill_every_part(sizes: list[int]):
    found = splitting.by_group(np.repeat(np.arange(len(sizes)), sizes), 0.2)
    assert set(found) == {splitting.TRAIN, splitting.VALIDATION, splitting.HELD_OUT}


def test_weights_belong_to_rows_and_are_no_feature():
    weights = [row % 5 for row in range(ROWS)]
    dataset = read(with_columns(code=weights, weight=weights), weight="weight")
    for split in (dataset.train, dataset.held_out, dataset.validation):
        assert split is not None
        assert split.weights is not None
        assert split.weights.tolist() == split.inputs[:, 1].tolist()
    assert "weight" not in types(dataset)


# Formats


def test_json_lines_name_the_line_that_is_wrong():
    lines = json_lines_of(CUSTOMERS)
    for line, reason in (
        (b"oops", "line 102: each line must be one JSON object"),
        (b"[1]", "line 102: each line must be one JSON object, and this is an array"),
        (b'{"age": {"years": 3}, "label": "stays"}', "line 102, column 'age': an object is nested"),
        (b'{"income": "much", "label": "stays"}', "line 102, column 'income': 'much' is not a number"),
        (b'{"income": 1e400, "label": "stays"}', "line 102, column 'income': '1e400' is not a finite number"),
    ):
        with pytest.raises(DataError, match=rf"^set\.jsonl: {reason}"):
            tables.read_json_lines("set.jsonl", lines + b"\n\n" + line)


def test_text_of_digits_stays_text_where_the_format_says_so():
    columns = with_columns(code=[str(row % 4) for row in range(ROWS)])
    for dataset in (
        tables.read_parquet("set.parquet", parquet_of(columns)),
        tables.read_json_lines("set.jsonl", json_lines_of(columns)),
    ):
        assert types(dataset)["code"] == "string"
    assert types(read(columns))["code"] == "long"


def test_nested_parquet_is_refused_with_the_remedy():
    with pytest.raises(DataError, match=r"column 'tags': the type BIGINT\[\] is nested.*a column of its own"):
        tables.read_parquet("set.parquet", parquet_of(with_columns(tags=[[1]] * ROWS)))


# Wide tables


def test_a_wide_table_has_all_of_its_columns():
    wide = {f"f{index}": [(row * index) % 7 / 2 for row in range(30)] for index in range(1, 400)}
    dataset = read({**wide, "label": ["a", "b"] * 15})
    assert dataset.features == 399 - 57
    assert all(column.type is ColumnType.DOUBLE for column in contract_of(dataset).columns)


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("extra", [",", ',""'])
@pytest.mark.parametrize("piece", [1, 2, 3, 5])
def test_an_empty_cell_too_many_is_found_wherever_the_pieces_of_the_file_end(
    monkeypatch: pytest.MonkeyPatch, piece: int, extra: str, end: str
) -> None:
    monkeypatch.setattr(delimited, "PIECE_BYTES", piece)
    rows = [f"{row},{row % 3},{row % 2}" for row in range(12)]
    rows[-1] += extra
    with pytest.raises(DataError, match="line 13 has 4 columns, the header has 3"):
        tables.read("set.csv", ("a,b,label\n" + "\n".join(rows) + end).encode())


def test_words_are_counted_alike_whether_texts_repeat_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    columns: Columns = {
        "flag": [("yes", "No", None)[row % 3] for row in range(ROWS)],
        "when": [f"{row % 28 + 1:02d}/{row % 12 + 1:02d}/2025" for row in range(ROWS)],
        "word": [("red", "blue", "1.2.2025")[row % 7 % 3] for row in range(ROWS)],
        "label": [row % 2 for row in range(ROWS)],
    }
    grouped = tables.read("set.csv", csv_of(columns))
    monkeypatch.setattr(counts, "MOST_GROUPED", 0)
    assert tables.read("set.csv", csv_of(columns)).digest == grouped.digest
    assert grouped.contract is not None
    assert [column.type for column in grouped.contract.columns] == [
        ColumnType.BOOLEAN,
        ColumnType.DATETIME,
        ColumnType.STRING,
    ]


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", " \t"])
def test_blanks_around_a_cell_are_not_part_of_it(blank: str) -> None:
    names = ["plain", f"{blank}plain", f"plain{blank}", f"{blank}plain{blank}", f"two{blank}words"]
    columns: Columns = {
        "name": [names[row % 5] for row in range(ROWS)],
        "label": [row % 3 % 2 for row in range(ROWS)],
    }
    dataset = tables.read_parquet("set.parquet", parquet_of(columns))
    assert [feature.levels for feature in dataset.feature_columns] == [("plain", f"two{blank}words")]


# How files write a column


@pytest.mark.parametrize(
    ("cells", "role", "form"),
    [
        (("yes", "no"), None, "yes/no"),
        (("True", "FALSE"), None, None),
        (("y", "n"), None, "y/n"),
        (("1", "0"), "boolean", "1/0"),
        (("yes", "0"), "boolean", "yes/no 1/0"),
        (("2024-01-31", "2024-02-01 10:00"), None, None),
        (("31.01.2024", "1.2.2024 10:00"), None, "day.month.year"),
        (("31/01/2024", "1/2/2024"), None, "day/month/year"),
        (("01/31/2024", "2/1/2024"), None, "month/day/year"),
        (("a", "b"), None, None),
        (("7", "12.5"), None, None),
    ],
)
def test_the_contract_says_how_the_file_writes_a_column(
    cells: tuple[str, str], role: ColumnRole | None, form: str | None
) -> None:
    table = with_columns(own=[cells[row % 3 % 2] for row in range(ROWS)])
    contract = contract_of(read(table, columns={"own": role} if role else {}))
    assert contract.forms.get("own") == form
    (column,) = [column for column in contract.columns if column.name == "own"]
    encoder = RowEncoder(Contract(Task.REGRESSION, "y", (replace(column, position=0),)))
    encoder.encode([{"own": reader_of(column, form)(cell)} for cell in cells])  # refuses what is not read as a value


def test_decimal_commas_are_a_form_of_each_column_of_numbers_and_not_of_the_data() -> None:
    numbers = [f"{price:.2f}" for price in PRICES]
    point = read({"income": numbers, "label": CUSTOMERS["label"]})
    commas = "\n".join(
        [
            "income;label",
            *(f"{number.replace('.', ',')};{label}" for number, label in zip(numbers, CUSTOMERS["label"], strict=True)),
        ]
    )
    comma = tables.read("set.csv", commas.encode(), DataOptions())
    assert (contract_of(point).forms, contract_of(comma).forms) == ({}, {"income": "decimal comma"})
    assert point.digest == comma.digest, "the same data, written in another way"


def test_the_same_blanks_and_words_are_missing_everywhere() -> None:
    assert table_cells.BLANKS.encode().decode("unicode_escape").replace("Â", "") == contract_cells.BLANKS
