"""Labels of batch predictions: an import joins them with the output that the shards have written."""

import dataclasses
import io
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score

from label_imports import job as job_module
from mlops.domain.batch_prediction import BatchPrediction, OutputFile, Shard, Totals, new_batch_prediction_id
from mlops.domain.job import JobStatus
from mlops.domain.scoring_plan import ScoringPlan, plan_key
from mlops_contract import Task
from tests.support.label_imports import BUCKET, Imports, as_csv, as_parquet
from tests.support.scoring import as_parquet as table_of
from tests.support.scoring import rows, score
from tests.support.table_models import NUMBER_COLUMNS, served_table
from tests.unit.feedback.conftest import MODEL

ROWS = 60
Batch = Callable[..., tuple[str, list[dict[str, Any]]]]


@pytest.fixture
def batch(importing: Imports, tmp_path: Path) -> Batch:
    """Let a model answer the rows of two shards, one of which is set aside, as the jobs do. Returns the id, and the
    answers."""

    def completed(
        probabilities: bool = False,
        labels: tuple[str, ...] | None = ("stays", "leaves"),
        quantity: bool = False,
        model_name: str = MODEL,
        status: JobStatus = JobStatus.COMPLETED,
    ) -> tuple[str, list[dict[str, Any]]]:
        batch_id = new_batch_prediction_id()
        served = served_table(3, columns=NUMBER_COLUMNS, task=Task.REGRESSION) if quantity else served_table(3)
        plan = ScoringPlan(
            batch_id=batch_id,
            model_name=model_name,
            model_version=3,
            model_key=served.manifest.key,
            sha256=served.manifest.sha256,
            output_bucket=BUCKET,
            output_prefix=f"scored/{batch_id}/",
            keep=(),
            probabilities=probabilities,
            files=(),
            shards=((), ()),
            labels=None if quantity else labels,
            error_unit=-3 if quantity else None,
        )
        importing.s3.put_object(Bucket=BUCKET, Key=plan_key(batch_id), Body=plan.to_json())
        answers = []
        for shard in (0, 1):
            data = _numbers(ROWS, shard) if quantity else _people(ROWS, shard)
            folder = tmp_path / f"{batch_id}-{shard}"
            folder.mkdir()
            table, _, counts = score(
                served, {"in.parquet": data}, folder, id_prefix=f"{batch_id}/{shard}", probabilities=probabilities
            )
            assert counts.rejected == 1
            stored = (folder / "part.parquet").read_bytes()
            etag = importing.s3.put_object(Bucket=BUCKET, Key=plan.output_key(shard), Body=stored)["ETag"]
            file = OutputFile(plan.output_key(shard), table.num_rows, len(stored), "0", etag)
            importing.batches.report(batch_id, Shard(shard, ROWS, 1, 1.0, True, (file,)))
            answers += table.to_pylist()
        request = {"stage": "Production", "output": f"s3://{BUCKET}/scored/{batch_id}/", "max_rejected": 0.1}
        record = BatchPrediction(batch_id, model_name, 3, served.manifest.sha256, 2, 1, 1, request, "admin")
        importing.batches.create(record)
        importing.batches.finish(batch_id, status, Totals(2, 2 * ROWS, 2, 2.0, {}))
        return batch_id, answers

    return completed


def _people(count: int, seed: int) -> bytes:
    asked = rows(count, seed)
    asked[7]["plan"] = "silver"  # the column is closed
    return table_of(asked)


def _numbers(count: int, seed: int) -> bytes:
    draw = np.random.default_rng(seed)
    widths = [None if place == 7 else value for place, value in enumerate(draw.uniform(0, 9, count).tolist())]
    file = io.BytesIO()
    parquet.write_table(pa.table({"width": pa.array(widths, pa.float64()), "count": draw.integers(0, 9, count)}), file)
    return file.getvalue()


def labelled(answers: list[dict[str, Any]], labels: tuple[Any, ...], seed: int = 1) -> list[dict[str, Any]]:
    """The answers in any order, four of five with the label that was predicted."""
    draw = random.Random(seed)
    rows = [
        {
            "prediction_id": each["prediction_id"],
            "label": each["prediction"] if draw.random() < 0.8 else draw.choice(labels),
        }
        for each in answers
    ]
    draw.shuffle(rows)
    return rows


@pytest.mark.parametrize("probabilities", [False, True])
def test_labels_are_joined_with_the_output(
    importing: Imports, batch: Batch, probabilities: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("label_imports.batch_answers.ROWS", 10)
    monkeypatch.setattr(job_module, "CHUNK", 16)
    _, answers = batch(probabilities)
    given = labelled(answers, ("stays", "leaves"))[:70]
    importing.platform.answered([(0.2, 0.8)])
    address = importing.put("outcomes.parquet", as_parquet(given))
    state = importing.run(address)
    assert (state["status"], state["rows"], state["counts"]) == ("completed", 70, {"counted": 70})
    (version,) = importing.platform.status()["versions"]
    by_id = {each["prediction_id"]: each for each in answers}
    right = sum(by_id[each["prediction_id"]]["prediction"] == each["label"] for each in given)
    found = version["classification"]
    assert (version["labels"], version["predictions"]) == (70, 2 * ROWS - 2 + 1), "and what predict has answered"
    assert found["accuracy"]["value"] == pytest.approx(right / 70)
    true = [each["label"] == "leaves" for each in given]
    scores = [
        confidence if answer["prediction"] == "leaves" else 1 - confidence
        for answer in (by_id[each["prediction_id"]] for each in given)
        for confidence in [answer["confidence"]]
    ]
    assert found["log_loss"]["value"] == pytest.approx(log_loss(true, scores), abs=1e-5)
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(true, scores), abs=found["auc_error"] + 1e-9)
    assert importing.run(address)["counts"] == {"unchanged": 70}
    assert importing.platform.status()["versions"][0] == version


def test_without_the_other_probabilities_the_log_loss_is_of_right_answers_alone_or_none(
    importing: Imports, batch: Batch
) -> None:
    """Of three classes, the confidence does not say the probabilities of the two others."""
    _, answers = batch(labels=("stays", "leaves", "unsure"))
    wrong = [{"prediction_id": each["prediction_id"], "label": "unsure"} for each in answers[:20]]
    assert importing.run(importing.put("wrong.csv", as_csv(wrong)))["counts"] == {"counted": 20}
    found = importing.platform.status()["versions"][0]["classification"]
    assert (found["accuracy"]["value"], found["log_loss"], found["auc"]) == (0, None, None)
    right = [{"prediction_id": each["prediction_id"], "label": each["prediction"]} for each in answers[20:36]]
    assert importing.run(importing.put("right.csv", as_csv(right)))["counts"] == {"counted": 16}
    found = importing.platform.status()["versions"][0]["classification"]
    assert found["accuracy"]["value"] == 16 / 36
    losses = [-math.log(each["confidence"]) for each in answers[20:36]]
    assert found["log_loss"]["value"] == pytest.approx(sum(losses) / 16, abs=1e-5)


def test_quantities_are_compared_in_their_unit(importing: Imports, batch: Batch) -> None:
    _, answers = batch(quantity=True)
    truths = {each["prediction_id"]: round(each["prediction"] + random.Random(1).gauss(0, 1), 3) for each in answers}
    given = [{"prediction_id": each, "label": truth} for each, truth in truths.items()]
    assert importing.run(importing.put("prices.csv", as_csv(given)))["counts"] == {"counted": len(given)}
    (version,) = [each for each in importing.platform.status()["versions"] if each["labels"]]
    expected = mean_absolute_error([*truths.values()], [each["prediction"] for each in answers])
    assert version["regression"]["mae"]["value"] == pytest.approx(expected, abs=2e-3)


def test_each_label_that_cannot_be_compared_says_why(
    importing: Imports, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, _ = batch()
    failed, _ = batch(status=JobStatus.FAILED)
    foreign, _ = batch(model_name="prices")
    older, _ = batch(labels=None)
    unknown = new_batch_prediction_id()
    ids = [
        f"{batch_id}/0/7",
        f"{batch_id}/0/60",
        f"{batch_id}/2/0",
        f"{failed}/0/0",
        f"{foreign}/0/0",
        f"{older}/0/0",
        f"{unknown}/0/0",
    ]
    given = [{"prediction_id": each, "row": "", "label": "stays"} for each in ids]
    given += [{"prediction_id": f"{batch_id}/1/1", "row": 1, "label": "stays"}]
    given += [{"prediction_id": f"{batch_id}/1/2", "row": "", "label": "perhaps"}]
    given += [{"prediction_id": f"{batch_id}/1/3", "row": "", "label": "stays"}]
    state = importing.run(importing.put("labels.csv", as_csv(given)))
    assert state["counts"] == {"counted": 1, "refused": 9}
    reasons = {row["prediction_id"]: row["reason"] for row in importing.refused(state["import_id"])}
    assert len(reasons) == 9
    for each in ids[:3]:
        assert "rows that were set aside have none" in reasons[each]
    assert "is failed" in reasons[ids[3]]
    assert "of the model 'prices'" in reasons[ids[4]]
    assert "older version" in reasons[ids[5]]
    assert "there is no batch prediction" in reasons[ids[6]]
    assert reasons[f"{batch_id}/1/1"].startswith("row: must be left out")
    assert "stays, leaves" in reasons[f"{batch_id}/1/2"]


def test_an_output_that_was_changed_is_not_compared_with(importing: Imports, batch: Batch) -> None:
    batch_id, answers = batch()
    importing.s3.put_object(Bucket=BUCKET, Key=f"scored/{batch_id}/part-00000.parquet", Body=b"other")
    given = [{"prediction_id": each["prediction_id"], "label": "stays"} for each in (answers[0], answers[-1])]
    state = importing.run(importing.put("labels.csv", as_csv(given)))
    assert state["counts"] == {"counted": 1, "refused": 1}
    assert "was changed" in importing.refused(state["import_id"])[0]["reason"]


def test_what_shards_have_written_is_asked_for_once_a_batch_prediction(
    importing: Imports, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There can be ten thousand shards, and labels of each."""
    _, answers = batch()
    asked, shards = [], importing.batches.shards
    monkeypatch.setattr(importing.batches, "shards", lambda batch_id: asked.append(batch_id) or shards(batch_id))
    given = [{"prediction_id": each["prediction_id"], "label": "stays"} for each in (answers[0], answers[-1])]
    assert importing.run(importing.put("labels.csv", as_csv(given)))["counts"] == {"counted": 2}
    assert len(asked) == 1


def test_labels_one_by_one_come_after_an_import(importing: Imports, batch: Batch) -> None:
    _, answers = batch()
    first = answers[0]["prediction_id"]
    status, problem = importing.platform.give(prediction_id=first, label="stays")
    assert (status, problem["code"]) == (404, "not_found")
    assert "POST /feedback/imports" in problem["detail"]
    importing.run(importing.put("labels.csv", as_csv([{"prediction_id": first, "label": "stays"}])))
    assert importing.platform.give(prediction_id=first, label="stays")[1] == {"status": "unchanged"}
    assert importing.platform.give(prediction_id=first, label="leaves")[0] == 409
    assert importing.platform.give(prediction_id=first, label="leaves", replace=True)[1] == {"status": "replaced"}


def test_an_attempt_that_is_killed_counts_each_label_and_the_answers_once(
    importing: Imports, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "CHUNK", 10)
    _, answers = batch()
    given = labelled(answers, ("stays", "leaves"))[:65]
    import_id = importing.start(importing.put("labels.csv", as_csv(given)))
    killed = 0
    for steps in range(1, 9):
        attempt = importing.job(import_id)
        left, original = [steps], attempt._intake.keep_of_batches

        def keep(*arguments: Any, left: list[int] = left, original: Any = original) -> None:
            left[0] -= 1
            original(*arguments)
            if left[0] == 0:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(attempt._intake, "keep_of_batches", keep)
            try:
                attempt.run()
            except KeyboardInterrupt:
                killed += 1
    assert killed == 7
    state = importing.state(import_id)
    assert (state["status"], state["rows"]) == ("completed", 65)
    (version,) = importing.platform.status()["versions"]
    assert (version["labels"], version["predictions"]) == (65, 2 * ROWS - 2)


def test_answers_that_are_too_old_are_not_kept(
    importing: Imports, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, answers = batch()
    given = [{"prediction_id": answers[0]["prediction_id"], "label": "stays"}]
    import_id = importing.start(importing.put("labels.csv", as_csv(given)))
    attempt = importing.job(import_id)
    monkeypatch.setattr(attempt._intake, "_days", -1)
    attempt.run()
    assert importing.state(import_id)["counts"] == {"refused": 1}
    assert "older than" in importing.refused(import_id)[0]["reason"]


def test_a_plan_of_a_version_without_labels_is_read(importing: Imports, batch: Batch) -> None:
    batch_id, _ = batch()
    stored = importing.s3.get_object(Bucket=BUCKET, Key=plan_key(batch_id))["Body"].read()
    plan = ScoringPlan.from_json(stored)
    assert plan.labels == ("stays", "leaves")
    older = dataclasses.replace(plan, labels=None)
    assert ScoringPlan.from_json(older.to_json()) == older
