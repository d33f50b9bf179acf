"""Imports of labels: what may be asked for, what the job takes, and what is left of a job that was killed."""

import gzip
import random
from collections.abc import Callable
from typing import Any

import pytest

from feedback import imports
from label_imports import job as job_module
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.feedback.giving import Taken
from mlops.domain.feedback.own_id import hashed
from mlops.domain.job import JobStatus
from mlops_scoring import json_rows
from tests.support.label_imports import BUCKET, Imports, as_csv, as_lines, as_parquet

ROWS = [(0.25, 0.75)]
TORN = gzip.compress(b"id,label\n" + random.Random(1).randbytes(9_000).hex().encode() + b",yes\n")[:-20]


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("labels.csv", as_csv),
        ("labels.csv.gz", lambda rows: gzip.compress(as_csv(rows))),
        ("labels.jsonl", as_lines),
        ("labels.parquet", as_parquet),
    ],
)
def test_labels_of_a_file_are_counted(importing: Imports, name: str, encode: Callable[[Any], bytes]) -> None:
    ids = [importing.platform.answered(ROWS) for _ in range(30)]
    rows = [{"prediction_id": each, "label": "yes" if at % 3 else "no", "note": "x"} for at, each in enumerate(ids)]
    state = importing.run(importing.put(name, encode(rows)))
    assert (state["status"], state["rows"], state["counts"]) == ("completed", 30, {"counted": 30})
    assert (state["refused_url"], state["error"]) == (None, None)
    figures = importing.platform.status()["versions"][0]
    assert (figures["labels"], figures["classification"]["accuracy"]["value"]) == (30, 20 / 30)
    again = importing.run(f"s3://{BUCKET}/datasets/{name}")
    assert again["counts"] == {"unchanged": 30}
    assert importing.platform.status()["versions"][0]["labels"] == 30


def test_a_folder_is_read_in_order_and_its_hidden_files_are_not(importing: Imports) -> None:
    ids = [importing.platform.answered(ROWS) for _ in range(4)]
    importing.put(
        "day/a.csv", as_csv([{"prediction_id": ids[0], "label": "yes"}, {"prediction_id": ids[1], "label": "no"}])
    )
    importing.put("day/b.jsonl", as_lines([{"prediction_id": ids[2], "label": "yes"}]))
    importing.put("day/_SUCCESS", b"")
    state = importing.run(f"s3://{BUCKET}/datasets/day/")
    assert (state["files"], state["counts"]) == (2, {"counted": 3})


def test_own_ids_rows_times_and_replacing(importing: Imports) -> None:
    importing.platform.answered(ROWS, own=(hashed("order-1"),))
    both = importing.platform.answered(ROWS * 2)
    times = as_csv([{"id": "order-1", "label": "yes", "observed_at": "2026-01-31T09:30:00Z"}])
    assert importing.run(importing.put("own.csv", times))["counts"] == {"counted": 1}
    rows = as_csv([{"prediction_id": both, "row": 0, "label": "yes"}, {"prediction_id": both, "row": 1, "label": "no"}])
    assert importing.run(importing.put("rows.csv", rows))["counts"] == {"counted": 2}
    other = as_csv([{"prediction_id": both, "row": 1, "label": "yes"}])
    assert importing.run(importing.put("other.csv", other))["counts"] == {"refused": 1}
    assert importing.run(importing.put("other.csv", other), replace=True)["counts"] == {"replaced": 1}


def test_what_is_refused_is_set_aside_with_its_reason_and_can_be_mended(importing: Imports) -> None:
    good, bad = importing.platform.answered(ROWS), importing.platform.answered(ROWS)
    lines = [
        "prediction_id;row;label",
        f"{good};0;yes",
        f"{bad};0;maybe",
        "nothing;0;yes",
        f"{bad};x;yes",
        f"{bad};1",
        ";0;yes",
    ]
    state = importing.run(importing.put("labels.csv", "\n".join(lines).encode()))
    assert (state["status"], state["counts"]) == ("completed", {"counted": 1, "refused": 5})
    refused = importing.refused(state["import_id"])
    assert [row["row_in_file"] for row in refused] == ["2", "3", "4", "5", "6"]
    reasons = [row["reason"] for row in refused]
    assert "no, yes" in reasons[0]
    assert "no prediction of this id" in reasons[1]
    assert reasons[2].startswith("row: ")
    assert reasons[3] == "has 2 cells, and the header has 3"
    assert "exactly one of prediction_id and id" in reasons[4]
    assert {row["file"] for row in refused} == {f"s3://{BUCKET}/datasets/labels.csv"}
    assert state["refused_url"].startswith("http")
    mended = [{**row, "label": "no"} for row in refused[:1]]
    assert importing.run(importing.put("mended.csv", as_csv(mended)))["counts"] == {"counted": 1}


@pytest.mark.parametrize(
    ("address", "data", "reason"),
    [
        ("s3://elsewhere/labels.csv", None, "DatasetBuckets"),
        (f"s3://{BUCKET}/mlflow/labels.csv", None, "must be below datasets/"),
        (f"s3://{BUCKET}/datasets/none.csv", None, "there are no files"),
        (f"s3://{BUCKET}/datasets/empty.csv", b"", "is empty"),
        (f"s3://{BUCKET}/datasets/a.xlsx", b"PK", "does not say what it is"),
        (f"s3://{BUCKET}/datasets/a.parquet", b"prediction_id,label\n", "is no Parquet file"),
        (f"s3://{BUCKET}/datasets/a.csv", b"prediction_id,truth\na,b\n", "has no column 'label'"),
        (f"s3://{BUCKET}/datasets/a.csv", b"who,label\na,b\n", "'prediction_id' or 'id'"),
        (f"s3://{BUCKET}/datasets/a.csv.gz", b"id,label\n", "not packed with gzip"),
    ],
)
def test_an_input_that_has_no_labels_is_refused_before_the_job(
    importing: Imports, address: str, data: bytes | None, reason: str
) -> None:
    if data is not None:
        importing.s3.put_object(Bucket=BUCKET, Key=address.removeprefix(f"s3://{BUCKET}/"), Body=data)
    status, problem = importing.ask(address)
    assert status == 422, problem
    assert problem["errors"][0]["field"] == "input"
    assert reason in problem["errors"][0]["message"]
    assert importing.platform.ask("GET", "/feedback/imports")[1]["imports"] == []


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.parquet", as_parquet([{"who": "a", "label": "yes"}]), "'prediction_id' or 'id'"),
        ("a.parquet", b"PAR1 and nothing more", "cannot be read as Parquet"),
        (
            "a.csv.gz",
            TORN,
            "cannot be read as CSV",
        ),
        ("a.csv", b'id,label\norder-1,"yes\n', "cannot be read as CSV"),
        ("a.jsonl", b'{"id": "order-1", "label": "\xff"}\n', "JSON lines"),
    ],
)
def test_a_file_that_the_job_cannot_read_fails_it_with_the_reason(
    importing: Imports, name: str, data: bytes, reason: str
) -> None:
    status, answer = importing.ask(importing.put(name, data))
    if status == 422:  # seen before the job
        assert reason in answer["errors"][0]["message"]
        return
    import_id = answer["import_id"]
    assert importing.job(import_id).run() is False
    state = importing.state(import_id)
    assert state["status"] == "failed"
    assert reason in state["error"]
    assert f"datasets/{name}" in state["error"]


def test_a_line_of_json_has_each_name_once_and_is_one_object(importing: Imports) -> None:
    good = importing.platform.answered(ROWS)
    lines = [{"prediction_id": good, "label": "yes"}, ["a list"], "text"]
    data = as_lines(lines) + b'{"id": "order-1", "label": "yes", "label": "no"}\n\n{"id": "order-2", "label": NaN}\n'
    state = importing.run(importing.put("labels.jsonl", data))
    assert state["counts"] == {"counted": 1, "refused": 4}
    refused = importing.refused(state["import_id"])
    assert [row["row_in_file"] for row in refused] == ["2", "3", "4", "5"]
    assert {row["reason"] for row in refused} == {"is not one JSON object, each of whose names is there once"}


def test_a_line_that_is_too_long_is_no_row_and_no_part_of_it_is(
    importing: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "MAX_LINE", 1_000)
    known = importing.platform.answered(ROWS)
    line = b" " * 1_001 + as_lines([{"prediction_id": known, "label": "yes"}])
    import_id = importing.start(importing.put("labels.jsonl", as_lines([{"id": "a", "label": "yes"}]) + line))
    assert importing.job(import_id).run() is False
    assert "a line has more than 1,000 bytes" in importing.state(import_id)["error"]


def test_a_file_that_was_changed_meanwhile_is_not_read(importing: Imports) -> None:
    import_id = importing.start(importing.put("a.csv", b"id,label\norder-1,yes\n"))
    importing.put("a.csv", b"id,label\norder-2,yes\n")
    assert importing.job(import_id).run() is False
    assert "was changed after the job had been asked for" in importing.state(import_id)["error"]


def test_an_attempt_that_is_killed_anywhere_leaves_labels_that_are_counted_once(
    importing: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "CHUNK", 7)
    ids = [importing.platform.answered(ROWS) for _ in range(40)]
    rows = [{"prediction_id": each, "label": random.Random(at).choice(["yes", "no"])} for at, each in enumerate(ids)]
    import_id = importing.start(importing.put("labels.csv", as_csv(rows)))
    killed = 0
    for steps in range(1, 8):
        attempt, left = importing.job(import_id), [steps]
        taken = attempt._intake.take_all

        def take_all(*arguments: Any, left: list[int] = left, taken: Any = taken) -> list[Taken]:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return list(taken(*arguments))

        monkeypatch.setattr(attempt, "_intake", type("Killed", (), {"take_all": staticmethod(take_all)})())
        try:
            attempt.run()
        except KeyboardInterrupt:
            killed += 1
            assert importing.state(import_id)["status"] == "running"
    assert killed == 6
    state = importing.state(import_id)
    assert (state["status"], state["rows"], state["counts"]) == ("completed", 40, {"unchanged": 40}) or state[
        "rows"
    ] == 40
    assert importing.platform.status()["versions"][0]["labels"] == 40
    right = sum(row["label"] == "yes" for row in rows)
    assert importing.platform.status()["versions"][0]["classification"]["accuracy"]["value"] == right / 40


def test_labels_that_meet_others_are_tried_again_and_then_the_attempt_ends(
    importing: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module.time, "sleep", lambda _: None)
    import_id = importing.start(importing.put("a.csv", b"id,label\none,yes\ntwo,no\n"))
    answers = [[Taken("counted"), Taken("refused", "dependency_unavailable", "busy")], [Taken("counted")]]

    class Busy:
        def take_all(self, *_: Any) -> list[Taken]:
            return answers.pop(0) if answers else [Taken("refused", "dependency_unavailable", "busy")]

    assert importing.job_with(Busy(), import_id).run()
    assert importing.state(import_id)["counts"] == {"counted": 2}
    second = importing.start(importing.put("b.csv", b"id,label\none,yes\n"))
    with pytest.raises(DependencyUnavailable, match="busy"):
        importing.job_with(Busy(), second).run()
    assert importing.state(second)["status"] == "running"


def test_a_job_that_ended_without_a_word_has_failed_when_somebody_looks(importing: Imports) -> None:
    address = importing.put("a.csv", b"id,label\norder-1,yes\n")
    killed, lost = importing.start(address), importing.start(address)
    importing.jobs.jobs["job-0"] |= {"status": "FAILED", "container": {"reason": "OutOfMemoryError"}}
    del importing.jobs.jobs["job-1"]
    states = {entry["import_id"]: entry for entry in importing.platform.ask("GET", "/feedback/imports")[1]["imports"]}
    assert states[killed]["status"] == "failed"
    assert "OutOfMemoryError" in states[killed]["error"]
    assert states[lost]["status"] == "pending", "Batch may be behind"
    importing.table._table.update({"series": "imports", "slot": lost}, {"created_at": "2026-01-01T00:00:00+00:00"})
    assert "does not have its job" in importing.state(lost)["error"]


def test_a_submission_that_was_interrupted_is_found_by_its_name(importing: Imports) -> None:
    import_id = importing.start(importing.put("a.csv", b"id,label\norder-1,yes\n"))
    importing.table._table.update({"series": "imports", "slot": import_id}, remove=("batch_job_id",))
    assert importing.state(import_id)["status"] == "pending"
    assert importing.table.get(import_id).batch_job_id == "job-0"


def test_more_than_five_wait_until_one_has_ended(importing: Imports) -> None:
    address = importing.put("a.csv", b"id,label\norder-1,yes\n")
    started = [importing.start(address) for _ in range(imports.MAX_ACTIVE)]
    status, problem = importing.ask(address)
    assert (status, problem["code"]) == (409, "conflict")
    importing.jobs.jobs["job-2"]["status"] = "FAILED"
    assert importing.ask(address)[0] == 202
    assert importing.state(started[2])["status"] == "failed"


def test_an_end_is_written_once(importing: Imports) -> None:
    import_id = importing.start(importing.put("a.csv", b"id,label\norder-1,yes\n"))
    assert importing.table.finish(import_id, JobStatus.FAILED, error="first")
    assert not importing.table.finish(import_id, JobStatus.COMPLETED)
    assert importing.job(import_id).run(), "an attempt that comes after the end does nothing"
    assert importing.state(import_id)["error"] == "first"


def test_pages_are_newest_first(importing: Imports) -> None:
    address = importing.put("a.csv", b"id,label\norder-1,yes\n")
    started = [importing.start(address) for _ in range(3)]
    first = importing.platform.ask("GET", "/feedback/imports", limit="2")[1]
    second = importing.platform.ask("GET", "/feedback/imports", limit="2", cursor=first["next_cursor"])[1]
    assert [entry["import_id"] for page in (first, second) for entry in page["imports"]] == started[::-1]
    assert importing.platform.ask("GET", "/feedback/imports", cursor="eHh4")[0] == 422
