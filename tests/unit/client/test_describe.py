"""`mlops data describe` and `mlops_client.describe`: what training would find in a table, said by the client alone."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import mlops_client
import mlops_contract
import mlops_data
from mlops_client import BadInput, MlopsError, describe
from mlops_client.cli import app, exit_code
from tests.support.customers import CUSTOMERS, csv_of, parquet_of
from tests.support.terminal import terminal

ABSENT = ("boto3", "matplotlib", "mlflow", "mlops", "mlops_conversion", "onnx", "pandas", "torch", "trainer")
"""What the wheel with the extra `data` does not bring."""
PROGRAM = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from mlops_client.cli import main
main()
"""


@pytest.fixture
def churn(tmp_path: Path) -> Path:
    path = tmp_path / "churn.csv"
    path.write_bytes(csv_of(CUSTOMERS))
    return path


def run(*arguments: str, width: int = 120) -> Result:
    return CliRunner().invoke(app, ["data", "describe", *arguments], env=terminal(width))


def test_a_page_says_what_each_column_holds_and_what_is_left_out(churn: Path):
    page = run(str(churn)).output
    assert "churn.csv: 70 rows to train, 10 to validate, 20 held out to measure" in page
    assert "target 'label' (classification): 2 classes: leaves (25), stays (75)" in page
    lines = {line.split()[0]: " ".join(line.split()) for line in page.splitlines() if line and line[0] != " "}
    assert lines["age"].startswith("age whole number 5.71% 20 to 68, median ")
    assert lines["income"].startswith("income number 10.04 to 98.63, median ")
    assert lines["city"] == "city category 5.71% 3 values: Berlin (30), Köln (20), Ulm (16)"
    assert lines["member"] == "member boolean 65.7% true"
    assert lines["since"].startswith("since datetime 2024-01-01T10:00:00Z to 2024-12-28")
    assert "- the column 'customer_id' is left out: it is an id: 100 different texts in 100 rows" in page
    assert "- the column 'country' is left out: it has the same value in all training rows" in page


def test_a_quantity_and_rows_without_one_are_said(tmp_path: Path):
    path = tmp_path / "prices.csv"
    rows = [f"{row % 13},{'' if row < 3 else row * 1.5}\n" for row in range(100)]
    path.write_text("rooms,price\n" + "".join(rows))
    page = run(str(path), "--target", "price").output
    assert "target 'price' (regression): 4.5 to 148.5, median 76.5, mean 76.5" in page
    assert "- 3 rows without a value in 'price': left out" in page


def test_options_are_those_of_a_training_request(churn: Path):
    options = [
        "--target",
        "income",
        "--task",
        "regression",
        "--column",
        "member=category",
        "--held-out=since=2024-07-01",
    ]
    document = json.loads(run(str(churn), *options, "--json").output)
    assert document["target"]["name"] == "income"
    assert {column["name"]: column["type"] for column in document["columns"]}["member"] == "string"
    late = sum(str(moment) >= "2024-07-01" for moment in CUSTOMERS["since"])
    assert document["rows"]["held_out"] == late
    grouped = json.loads(run(str(churn), "--held-out", "customer_id", "--weight", "income", "--json").output)
    reasons = {column["name"]: column["reason"] for column in grouped["left_out"]}
    assert reasons["customer_id"] == "it has the groups that are kept together"
    assert reasons["income"] == "it has the rows' weights"


def test_what_is_said_is_what_the_trainer_finds(churn: Path):
    from trainer import data

    found = data.load(str(churn), trusted=True).profile
    assert found is not None
    assert json.loads(run(str(churn), "--json").output) == json.loads(json.dumps(found.to_document()))


def test_a_narrow_terminal_shows_all_values_on_several_lines(churn: Path):
    page = run(str(churn), width=60).output
    assert max(len(line) for line in page.splitlines() if line.startswith(" ")) <= 60
    assert "Ulm (16)" in " ".join(page.split())
    assert "…" not in page


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path):
    for year, half in ((2024, slice(0, 50)), (2025, slice(50, 100))):
        folder = tmp_path / "churn" / f"year={year}"
        folder.mkdir(parents=True)
        (folder / "part.parquet").write_bytes(parquet_of({name: cells[half] for name, cells in CUSTOMERS.items()}))
        (folder / "_metadata.parquet").write_bytes(b"of another program")
    profile = describe(tmp_path / "churn")
    assert sum(profile.rows.values()) == 100
    assert {column.name: column.type for column in profile.columns}["year"] == "long"


def test_a_frame_is_read_as_its_file_is(churn: Path):
    frame = pd.DataFrame({name: list(cells) for name, cells in CUSTOMERS.items()}, index=range(500, 600))
    frame = frame.astype({"age": "Int64"})  # with None, pandas makes fractions of whole numbers
    from_frame, from_file = describe(frame, target="label"), describe(churn, target="label")
    assert from_frame.rows == from_file.rows
    assert from_frame.columns == from_file.columns
    assert from_frame.left_out == from_file.left_out


@pytest.mark.parametrize(
    ("held_out", "rows"),
    [(0.5, 50), ({"column": "since", "from": "2024-07-01"}, 48), (None, 20)],
)
def test_the_sdk_takes_held_out_rows_as_train_does(churn: Path, held_out: float | dict[str, str] | None, rows: int):
    assert describe(churn, held_out=held_out).rows["held_out"] == rows


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "labl"}, r"there is no column 'labl'; did you mean one of label\?"),
        ({"task": "ranking"}, "task: 'ranking' is none of classification, regression"),
        ({"columns": {"age": "text"}}, "'text' for the column 'age' is none of ignore, number"),
        ({"held_out": 0.9}, r"held_out: 0\.9 is not a share"),
        ({"held_out": {"colum": "since"}}, "held_out: give a share"),
    ],
)
def test_an_option_that_is_wrong_is_named(churn: Path, options: dict[str, object], said: str):
    with pytest.raises(BadInput, match=said):
        describe(churn, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("s3://bucket/churn.csv", "s3://bucket/churn.csv: only files on this machine are described; download it first"),
        ("nowhere.csv", "there is no file nowhere.csv"),
        ("churn.xlsx", "spreadsheets are not read; save the sheet as CSV"),
        ("set.npz", r"none of \.csv, .* \(also as \.gz or \.zst\) and \.parquet"),
        (".", r"there are no files whose names end in \.parquet"),
        (41, "a int cannot be described; give a path, or a pandas DataFrame"),
        (pd.DataFrame({"a": [1, "one"], "label": [1, 2]}), "the frame cannot be read: .*column a.*values of one type"),
    ],
)
def test_what_cannot_be_described_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: object, said: str
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=said) as refused:
        describe(table)
    assert exit_code(refused.value) == 2


def test_a_cell_that_does_not_fit_is_named_by_its_line(tmp_path: Path):
    path = tmp_path / "set.csv"
    path.write_text("a,label\n" + "1,x\n2,y\n" * 10 + "oops,x\n")
    with pytest.raises(BadInput, match=r"set\.csv: line 22, column 'a': 'oops' is not a number; correct it"):
        describe(path)


@pytest.mark.parametrize("package", ["duckdb", "numpy", "pyarrow"])
def test_a_missing_library_is_named_with_its_extra(churn: Path, monkeypatch: pytest.MonkeyPatch, package: str):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MlopsError, match=rf"describing tables needs {package}: pip install 'mlops-client\[data\]'"):
        describe(churn)


def test_the_client_needs_nothing_of_the_platform_to_describe_a_table(tmp_path: Path, churn: Path):
    """As it is installed from its wheel: three packages in one folder, and the libraries of one extra."""
    for package in (mlops_client, mlops_contract, mlops_data):
        (tmp_path / "site" / package.__name__).parent.mkdir(exist_ok=True)
        (tmp_path / "site" / package.__name__).symlink_to(Path(package.__path__[0]))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "data", "describe", str(churn), "--json"],
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == {"train": 70, "validation": 10, "held_out": 20}
