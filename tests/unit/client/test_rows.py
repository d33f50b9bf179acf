"""Rows of tables through the SDK and the command: what is sent, and what becomes of answers and refusals."""

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from mlops.domain.errors import ValidationFailed
from mlops_client import BadInput, Client, Invalid
from mlops_client.cli import app, csv_answers, predicting
from mlops_client.cli import contract as contract_command
from mlops_client.csv_rows import read_csv
from mlops_client.errors import api_error
from mlops_client.models import ModelContract
from mlops_client.records import decode
from mlops_client.rows import MAX_BODY, pages, plain_row
from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.rows import RowEncoder, RowsRefused
from predict.contracts import contract_columns
from tests.support.terminal import terminal

CHURN = Contract(
    Task.CLASSIFICATION,
    "churned",
    (
        Column("age", ColumnType.LONG, 0),
        Column("fee", ColumnType.DOUBLE, 1, null_ok=False),
        Column("member", ColumnType.BOOLEAN, 2),
        Column("zip", ColumnType.STRING, 0),
        Column("city.name", ColumnType.STRING, 1, levels=("Bern", "Basel")),
        Column("since", ColumnType.DATETIME, 3, absent_ok=True),
    ),
    {"fee": "decimal comma", "member": "yes/no", "since": "day.month.year"},
)
PRICE = Contract(Task.REGRESSION, "price", (Column("rooms", ColumnType.DOUBLE, 0),))


def contract_document(contract: Contract) -> dict[str, Any]:
    """What GET /models/m/contract answers, with predict's own code."""
    return {
        "model_name": "m",
        "model_version": 3,
        "model_stage": "Production",
        "sha256": "0" * 64,
        "task": contract.task.value,
        "target": contract.target,
        "labels": [],
        "signature": {"inputs": "[]", "outputs": "[]", "params": None},
        "columns": contract_columns(contract),
        "input": None,
        "example": {"request": {}, "curl": "curl", "python": ""},
    }


class Transport:
    """Answers rows as predict does: refusals and warnings are those of the contract."""

    def __init__(self, contract: Contract) -> None:
        self._task = contract.task
        self._encoder = RowEncoder(contract)
        self.bodies: list[dict[str, Any]] = []
        self.asked: list[str | None] = []
        """What each request has asked to explain."""
        self.reason: str | None = None
        """Why nothing is explained."""

    def call(
        self, method: str, route: str, body: Any = None, query: dict[str, Any] | None = None, *, safe: bool = False
    ) -> Any:
        if method == "GET":
            assert (route, query) == ("/models/m/contract", {})
            return contract_document(self._encoder.contract)
        assert (method, safe) == ("POST", True)
        self.asked.append((query or {}).get("explain"))
        self.bodies.append(json.loads(json.dumps(body, allow_nan=False)))
        batch = route == "/predict/batch"
        rows = body["rows"] if batch else [body["row"]]
        try:
            warnings = self._encoder.encode(rows, batch=batch).warnings
        except RowsRefused as refused:
            place = "rows.{0.row}.{0.column}" if batch else "row.{0.column}"
            failed = ValidationFailed.of_fields((place.format(each), each.message) for each in refused.refusals)
            raise api_error(422, {"detail": failed.detail, "code": failed.code, **failed.extra}) from None
        about: dict[str, Any] = {"model_name": "m", "model_version": 3}
        about |= {"warnings": warnings} if warnings else {}
        if self.asked[-1] is not None:
            name = "explanations" if batch else "explanation"
            found = {"of": "log_odds", "label": "no", "base": 0.5, "parts": {"age": -0.25, "fee": 1.5, "zip": 0.0}}
            about[name] = None if self.reason else [found] * len(rows) if batch else found
            about |= {"explanation_reason": self.reason} if self.reason else {}
        if self._task is Task.REGRESSION:
            numbers = [row["rooms"] * 1000.5 for row in rows]
            return (
                about
                | ({"predictions": numbers, "batch_size": len(rows)} if batch else {"prediction": numbers[0]})
                | ({} if batch else {"model_stage": "Production"})
            )
        if batch:
            return about | {
                "predictions": ["no"] * len(rows),
                "confidences": [0.75] * len(rows),
                "batch_size": len(rows),
            }
        shares = {"yes": 0.2, "no": 0.75, "perhaps": 0.03, "never": 0.02}
        return about | {"prediction": "no", "confidence": 0.75, "probabilities": shares, "model_stage": "Production"}


def client_of(transport: Transport) -> Client:
    client = Client("http://127.0.0.1:9", "key")
    client.transport = transport  # type: ignore[assignment]
    return client


@pytest.fixture
def churn() -> Transport:
    return Transport(CHURN)


def mlops(monkeypatch: pytest.MonkeyPatch, transport: Transport, *arguments: str) -> Result:
    for module in (predicting, csv_answers, contract_command):
        monkeypatch.setattr(module, "new_client", lambda: client_of(transport))
    monkeypatch.setenv("COLUMNS", "120")
    named = [] if "--model" in arguments else ["--model", "m"]
    return CliRunner().invoke(app, ["predict", *named, *arguments])


ROW = {"age": 41, "fee": 9.5, "member": True, "zip": "3011", "city.name": "Bern"}


def test_a_row_is_sent_by_its_columns_and_its_probabilities_have_labels(churn):
    answer = client_of(churn).predict(row={**ROW, "age": None, "city.name": "Atlantis"}, model_name="m")
    assert churn.bodies == [{"row": {**ROW, "age": None, "city.name": "Atlantis"}, "model_name": "m"}]
    assert answer.probabilities == {"yes": 0.2, "no": 0.75, "perhaps": 0.03, "never": 0.02}
    assert answer.warnings == ["city.name: 'Atlantis' was not seen in training"]


def test_values_of_numpy_and_pandas_are_sent_as_json_has_them():
    pandas = pytest.importorskip("pandas")
    moment = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    row = {
        "n": np.int64(3),
        "x": np.float32(0.5),
        "b": np.bool_(True),
        "missing": float("nan"),
        "na": pandas.NA,
        "nat": pandas.NaT,
        "day": moment.date(),
        "moment": moment,
        "stamp": pandas.Timestamp("2026-01-31"),
        "at": np.datetime64("2026-01-31T09:30"),
        "never": np.datetime64("NaT"),
    }
    assert plain_row(row) == {
        "n": 3,
        "x": 0.5,
        "b": True,
        "missing": None,
        "na": None,
        "nat": None,
        "day": "2026-01-31",
        "moment": "2026-01-31T09:30:00+00:00",
        "stamp": "2026-01-31T00:00:00",
        "at": "2026-01-31T09:30",
        "never": None,
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"x": float("inf")}, "x: inf cannot be sent"),
        ({"x": [1]}, r"x: \[1\] cannot be sent"),
        ({"x": np.timedelta64(1, "D")}, "x: .* cannot be sent"),
        ({1: 2}, "1 is no name of a column"),
        ([1], "a row must be a dict"),
    ],
)
def test_what_a_row_cannot_have_is_refused_before_it_is_sent(churn, row, said):
    with pytest.raises(BadInput, match=said):
        client_of(churn).predict(row=row)
    assert churn.bodies == []


def test_rows_go_a_thousand_per_request_and_answers_and_warnings_are_joined(churn):
    rows = [{**ROW, "city.name": "Atlantis" if index in (3, 1200) else "Bern"} for index in range(2500)]
    answer = client_of(churn).predict_batch(rows=rows)
    assert [len(body["rows"]) for body in churn.bodies] == [1000, 1000, 500]
    assert (len(answer.predictions), len(answer.confidences or ()), answer.batch_size) == (2500, 2500, 2500)
    assert answer.warnings == [f"rows.{index}.city.name: 'Atlantis' was not seen in training" for index in (3, 1200)]


def test_one_version_answers_all_requests(churn):
    rows = [ROW] * 2500
    answer = client_of(churn).predict_batch(rows=rows)
    first, *others = [body.get("version") for body in churn.bodies]
    assert (first, others) == (None, [answer.model_version] * 2)
    client_of(churn).predict_batch(rows=rows, version=3)
    assert [body.get("version") for body in churn.bodies[3:]] == [3, answer.model_version, answer.model_version]


def test_a_refusal_has_the_index_among_all_rows(churn):
    rows = [{**ROW, "fee": None if index == 1200 else 1} for index in range(2500)]
    with pytest.raises(Invalid, match=r"^rows\.1200\.fee: must not be null$") as refused:
        client_of(churn).predict_batch(rows=rows)
    assert refused.value.errors == [{"field": "rows.1200.fee", "message": "must not be null"}]


def test_a_data_frame_is_rows(churn):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([ROW, {**ROW, "age": None}])
    assert client_of(churn).predict_batch(rows=frame).predictions == ["no", "no"]
    assert [row["age"] for row in churn.bodies[0]["rows"]] == [41, None]


def test_requests_stay_below_the_size_that_the_api_takes():
    rows = [{"text": "x" * 100_000}] * 25
    found = list(pages(rows, 1000))
    assert [start for start, _ in found] == [0, 9, 18]
    assert all(len(json.dumps(page)) < MAX_BODY for _, page in found)
    assert [row for _, page in found for row in page] == rows


@pytest.mark.parametrize("given", [{}, {"image": [1], "row": {}}, {"inputs": [1], "row": {}}])
def test_one_kind_of_input_is_given(churn, given):
    with pytest.raises(BadInput, match="one of image, inputs and row"):
        client_of(churn).predict(**given)


@pytest.mark.parametrize("given", [{}, {"rows": [ROW], "inputs": [[1]]}, {"rows": []}, {"rows": ROW}])
def test_a_batch_needs_rows(churn, given):
    with pytest.raises(BadInput, match=r"one of images|at least one|list of dicts"):
        client_of(churn).predict_batch(**given)
    assert churn.bodies == []


def test_the_command_shows_the_top_labels_by_their_names(monkeypatch, churn):
    said = mlops(monkeypatch, churn, "--row", json.dumps(ROW))
    assert said.exit_code == 0, said.output
    assert [line.split()[0] for line in said.stdout.splitlines()[1:]] == ["no", "no", "yes", "perhaps"]
    both = mlops(monkeypatch, churn, "--row", json.dumps(ROW), "--row", json.dumps(ROW | {"age": None}), "--json")
    assert [each["prediction"] for each in json.loads(both.stdout)] == ["no", "no"]
    assert churn.bodies[-1]["row"]["age"] is None


def test_a_quantity_is_shown_as_its_number_alone(monkeypatch):
    said = mlops(monkeypatch, Transport(PRICE), "--row", '{"rooms": 2}')
    assert said.stdout.splitlines() == ['{"rooms": 2}', "2001.0"]


@pytest.mark.parametrize("text", ["{", "[1]", '{"x": NaN}'])
def test_a_row_that_is_no_json_object_is_refused(monkeypatch, churn, text):
    assert isinstance(mlops(monkeypatch, churn, "--row", text).exception, BadInput)
    assert churn.bodies == []


def written(folder: Path, content: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


FILE = (
    'id,age,fee,member,zip,city.name\r\na1,41,"9,50",YES,"03011","Bern"\r\n'
    'a2,n/a,1e2,no,8001,"Atl\nantis"\r\n\r\na3,7,"-0,5",,,Basel\r\n'
)


def rows_of(path: Path, contract: Contract = CHURN, ignored: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return read_csv(path, ignored).rows(decode(ModelContract, contract_document(contract)))


def test_cells_are_read_as_the_contract_says(tmp_path):
    assert rows_of(written(tmp_path, "\ufeff" + FILE), ignored=("id",)) == [
        {"age": 41, "fee": 9.5, "member": True, "zip": "03011", "city.name": "Bern"},
        {"age": None, "fee": 100.0, "member": False, "zip": "8001", "city.name": "Atl\nantis"},
        {"age": 7, "fee": -0.5, "member": None, "zip": None, "city.name": "Basel"},
    ]
    assert rows_of(written(tmp_path, "since;zip\n1.2.2024 7:05;NA\n")) == [
        {"since": "2024-02-01T07:05:00", "zip": "NA"}
    ]


@pytest.mark.parametrize(
    ("column", "cell"), [("fee", "9.5"), ("fee", "1_000"), ("member", "true"), ("since", "2/1/2024"), ("age", "0x1")]
)
def test_a_cell_in_another_form_is_not_guessed(monkeypatch, churn, tmp_path, column, cell):
    assert rows_of(written(tmp_path, f"{column};zip\n{cell};1\n"))[0][column] == cell
    with pytest.raises(BadInput, match=f"line 2, column {column!r}: must be"):
        client_of(churn).predict_csv(tmp_path / "rows.csv", model_name="m")


def test_a_model_without_columns_takes_no_file(tmp_path):
    document = contract_document(CHURN) | {"columns": None}
    with pytest.raises(BadInput, match="m has no named columns"):
        read_csv(written(tmp_path, FILE)).rows(decode(ModelContract, document))


def test_answers_are_written_beside_the_rows(monkeypatch, churn, tmp_path):
    out = tmp_path / "answers.csv"
    said = mlops(monkeypatch, churn, "--csv", str(written(tmp_path, FILE)), "--ignore", "id", "--out", str(out))
    assert (said.exit_code, said.stdout) == (0, ""), said.output
    assert "line 3, city.name: 'Atl\\nantis' was not seen in training" in said.stderr
    with out.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["id", "age", "fee", "member", "zip", "city.name", "prediction", "confidence"]
    assert [(row[0], *row[-2:]) for row in rows[1:]] == [(name, "no", "0.75") for name in ("a1", "a2", "a3")]
    assert rows[2][5] == "Atl\nantis"


def test_answers_of_a_regression_have_no_confidence(monkeypatch, tmp_path):
    path, out = written(tmp_path, "rooms\n2\n3.5\n"), tmp_path / "answers.csv"
    shown = mlops(monkeypatch, Transport(PRICE), "--csv", str(path))
    assert [line.split() for line in shown.stdout.splitlines()] == [
        ["rooms", "prediction"],
        ["2", "2001.0"],
        ["3.5", "3501.75"],
    ]
    assert mlops(monkeypatch, Transport(PRICE), "--csv", str(path), "--out", str(out)).exit_code == 0
    assert out.read_text().split() == ["rooms,prediction", "2,2001.0", "3.5,3501.75"]


GOOD = "age,fee,member,zip,city.name\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            GOOD + "41,2,yes,x,Bern\nunknown,2,yes,x,Bern\n",
            r"line 3, column 'age': must be a whole number, not a string. The cell has 'unknown'; an empty cell is a "
            r"missing value$",
        ),
        (
            GOOD + "41,2.5,yes,x,Bern\n",
            r"line 2, column 'fee': must be a number, not a string. The cell has '2.5'; this model's files have "
            r"decimal comma",
        ),
        (GOOD + "41,2,true,x,Bern\n", r"column 'member': .* The cell has 'true'; this model's files have yes/no"),
        (
            "age,fee,member,zip,city.name,my id\n1,2,yes,x,Bern,7\n",
            r"line 2, column 'my id': is not a column of this model; .*To leave it out: --ignore 'my id'",
        ),
        (GOOD + "1,,yes,x,Bern\n", r"line 2, column 'fee': must not be null$"),
        ("age,fee\n1,2\n", r"line 2, column 'zip': is missing; send it, or null if it is not known"),
    ],
)
def test_a_refused_cell_is_named_with_its_line_and_the_remedy(monkeypatch, churn, tmp_path, content, said):
    ran = mlops(monkeypatch, churn, "--csv", str(written(tmp_path, content)))
    assert isinstance(ran.exception, BadInput)
    with pytest.raises(BadInput, match=said):
        raise ran.exception


def test_the_sdk_writes_the_same_file(churn, tmp_path):
    out = tmp_path / "answers.csv"
    answer = client_of(churn).predict_csv(written(tmp_path, FILE), model_name="m", ignore=["id"], out=out)
    assert answer.warnings == ["line 3, city.name: 'Atl\\nantis' was not seen in training"]
    assert out.read_text().splitlines()[0].endswith(",prediction,confidence")


def test_the_contract_is_shown(monkeypatch, churn):
    monkeypatch.setattr(contract_command, "new_client", lambda: client_of(churn))
    shown = CliRunner().invoke(app, ["contract", "--model", "m"], env=terminal(140))
    assert shown.exit_code == 0, shown.output
    assert re.search(r"fee +double +yes +other numbers +decimal comma", shown.stdout)
    assert re.search(r"city.name +string +yes +Bern, Basel +null, other text", shown.stdout)
    printed = CliRunner().invoke(app, ["contract", "--model", "m", "--json"])
    assert json.loads(printed.stdout)["columns"][1]["form"] == "decimal comma"


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("a,b\n1\n", [], "line 2 has 1 cells, and the header has 2"),
        ("a,a\n1,2\n", [], "'a' is twice in the header"),
        ("a,b\n", [], "has no rows"),
        ('a,b\n1,"2\n', [], "line 2: .*quotation mark"),
        ("a,b\n1,2\n", ["--ignore", "c"], "--ignore c: .* it has a, b"),
        ("a,prediction\n1,2\n", ["--out", "x.csv"], "has a column 'prediction' already"),
    ],
)
def test_a_file_that_cannot_be_sent_is_refused(monkeypatch, churn, tmp_path, content, options, said):
    ran = mlops(monkeypatch, churn, "--csv", str(written(tmp_path, content)), *options)
    with pytest.raises(BadInput, match=said):
        raise ran.exception or AssertionError(ran.output)
    assert churn.bodies == []


@pytest.mark.parametrize(
    "options",
    [
        ["--ignore", "a"],
        ["--row", "{}", "--csv", "x"],
        ["--csv", "x", "--staging"],
        ["--csv", "x", "--model-version", "1"],
    ],
)
def test_options_that_do_not_go_together_are_refused(monkeypatch, churn, options):
    assert isinstance(mlops(monkeypatch, churn, *options).exception, BadInput)


ONE = {"age": 41, "fee": 3.5, "member": True, "zip": "3011", "city.name": "Bern"}


class TestExplanations:
    def test_an_answer_is_explained_if_that_is_asked_for(self) -> None:
        transport = Transport(CHURN)
        client = client_of(transport)
        assert client.predict(row=ONE).explanation is None
        explanation = client.predict(row=ONE, explain=True).explanation
        assert explanation is not None
        assert (explanation.of, explanation.label, explanation.base) == ("log_odds", "no", 0.5)
        assert explanation.parts == {"age": -0.25, "fee": 1.5, "zip": 0.0}
        assert transport.asked == [None, "true"]

    @pytest.mark.parametrize(
        ("explain", "sent"),
        [(False, None), ("leaves", "leaves"), (3, "3"), (0, "0"), ("true", '"true"'), ("false", '"false"')],
    )
    def test_a_label_is_sent_so_that_it_is_read_as_one(self, explain: Any, sent: str | None) -> None:
        transport = Transport(CHURN)
        client_of(transport).predict(row=ONE, explain=explain)
        assert transport.asked == [sent]

    def test_rows_that_are_explained_are_sent_a_hundred_at_a_time(self) -> None:
        transport = Transport(CHURN)
        answer = client_of(transport).predict_batch(rows=[ONE] * 250, explain=True)
        assert [len(body["rows"]) for body in transport.bodies] == [100, 100, 50]
        assert answer.explanations is not None
        assert len(answer.explanations) == 250

    def test_why_nothing_is_explained_is_passed_on(self) -> None:
        transport = Transport(CHURN)
        transport.reason = "it is a network"
        answer = client_of(transport).predict_batch(rows=[ONE] * 150, explain=True)
        assert (answer.explanations, answer.explanation_reason) == (None, "it is a network")

    def test_the_command_shows_the_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        transport = Transport(CHURN)
        monkeypatch.setattr(predicting, "new_client", lambda: client_of(transport))
        shown = CliRunner().invoke(app, ["predict", "--row", json.dumps(ONE), "--explain"])
        assert shown.exit_code == 0, shown.output
        for part in ("log-odds of no: 1.75", "base +0.5", "fee +1.5", "age -0.25"):
            assert part in " ".join(shown.output.split()), shown.output
        transport.reason = "it is a network"
        shown = CliRunner().invoke(app, ["predict", "--row", json.dumps(ONE), "--explain-label", "yes"])
        assert transport.asked == ["true", "yes"]
        assert "not explained: it is a network" in " ".join(shown.output.split())

    def test_many_explanations_are_printed_as_json_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(predicting, "new_client", lambda: client_of(Transport(CHURN)))
        arguments = ["predict", "--row", json.dumps(ONE), "--batch", "--explain"]
        refused = CliRunner().invoke(app, arguments)
        assert refused.exit_code != 0
        answered = CliRunner().invoke(app, [*arguments, "--json"])
        assert json.loads(answered.output)["explanations"][0]["parts"]["fee"] == 1.5
