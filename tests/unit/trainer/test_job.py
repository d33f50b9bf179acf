"""A whole run in this process: what MLflow and the jobs table hold at its end, good or bad."""

import errno
import hashlib
import json
import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import boto3
import numpy as np
import onnxruntime
import pytest
from mlflow import MlflowClient

from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Job
from mlops.domain.objective import Direction, Objective
from mlops_data.errors import DataError
from trainer import job, models
from trainer.errors import Interrupted, ParameterError, ParityError, TrainingError, Unreachable
from trainer.parameters import Identity, Parameters
from trainer.stop import Stop
from trainer.tracking import note as run_note

from .test_models import plugin  # noqa: F401

NAMES = iter(range(1, 1000))


def asked(**parameters: object) -> Parameters:
    return Parameters(**{"epochs": 2, "hidden_size": 32, **parameters})


@pytest.fixture
def identity() -> Identity:
    """A job of its own for each test."""
    return Identity(job_id=f"job_{next(NAMES):06d}", sweep_id="sweep_000009")


@pytest.fixture
def recorded(aws: str, identity: Identity) -> None:
    """As the API leaves it before it submits the job."""
    JobsTable.from_environment().create(Job(identity.job_id))


def versions(client: MlflowClient, run_id: str) -> list:
    return list(client.search_model_versions(f"run_id = '{run_id}'"))


def run_of(client: MlflowClient, identity: Identity):
    (run,) = client.search_runs(
        [item.experiment_id for item in client.search_experiments()], f"tags.`mlops.job_id` = '{identity.job_id}'"
    )
    return run


@pytest.mark.slow
@pytest.mark.usefixtures("recorded")
def test_a_completed_run_leaves_everything(mlflow_client: MlflowClient, identity: Identity):
    outcome = job.run(asked(run_name="whole", model_name="whole"), identity, Stop())

    run = mlflow_client.get_run(outcome.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "whole"
    assert run.data.params["learning_rate"] == "0.001"
    assert run.data.params["seed"] == "42"
    tags = run.data.tags
    assert tags["mlops.job_id"] == identity.job_id
    assert tags["mlops.sweep_id"] == "sweep_000009"
    assert tags["mlops.sha256"] == outcome.sha256
    assert tags["mlops.version.torch"]
    assert (tags["mlops.objective"], tags["mlops.direction"]) == ("accuracy", "maximise")
    assert tags["mlops.task"] == "classification"
    metrics = run.data.metrics
    assert metrics["accuracy"] == pytest.approx(outcome.metrics["accuracy"])
    assert metrics["baseline_accuracy"] == outcome.metrics["baseline_accuracy"] < 0.2
    for name in (
        "loss",
        "roc_auc",
        "average_precision",
        "calibration_error",
        "class/3/precision",
        "class/3/recall",
        "model_size_bytes",
        "prediction_latency_ms",
    ):
        assert name in metrics
    history = mlflow_client.get_metric_history(outcome.run_id, "train_loss")
    assert [item.step for item in history] == [1, 2]
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("digits", outcome.dataset_digest[:36])
    artifacts = {item.path for item in mlflow_client.list_artifacts(outcome.run_id)}
    assert {"confusion.png", "calibration.png", "evaluation.json", "model_card.md"} <= artifacts

    (version,) = versions(mlflow_client, outcome.run_id)
    assert int(version.version) == outcome.model_version
    assert version.tags == {
        "stage": "Registered",
        "sha256": outcome.sha256,
        "job_id": identity.job_id,
        "dataset_digest": outcome.dataset_digest,
        "objective": "accuracy",
        "direction": "maximise",
        "task": "classification",
    }
    folder = Path(mlflow_client.get_model_version_download_uri("whole", version.version))
    assert (folder / "MLmodel").exists()
    content = (folder / "model.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == outcome.sha256
    assert "mlops" in onnxruntime.InferenceSession(content).get_modelmeta().custom_metadata_map

    record = JobsTable.from_environment().get(identity.job_id)
    assert record.status == "completed"
    assert record.run_id == outcome.run_id
    assert (record.epoch, record.epochs) == (2, 2)
    assert record.metrics["accuracy"] == pytest.approx(outcome.metrics["accuracy"])
    assert record.model_version == outcome.model_version
    assert record.params["hidden_size"] == 32

    # A completed run has no use for its state.
    assert (
        boto3.client("s3").list_objects_v2(Bucket="artifacts", Prefix=f"checkpoints/{identity.job_id}")["KeyCount"] == 0
    )


@pytest.mark.usefixtures("recorded")
def test_mlflows_pages_show_who_what_and_how_good(mlflow_client: MlflowClient, identity: Identity, tmp_path: Path):
    outcome = job.run(asked(model_name="shown.now"), replace(identity, actor="ann@example.com"), Stop())
    run = mlflow_client.get_run(outcome.run_id)
    assert run.data.tags["mlflow.user"] == run.info.user_id == "ann@example.com"
    card = Path(mlflow_client.download_artifacts(outcome.run_id, "model_card.md", str(tmp_path))).read_text("utf-8")
    assert run.data.tags["mlflow.note.content"] == f"<!-- model card -->\n{card}"
    assert run.data.metrics["system/cpu_utilization_percentage"] > 0, "of the whole run"
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0

    (version,) = versions(mlflow_client, outcome.run_id)
    assert version.description == (
        f"accuracy {outcome.metrics['accuracy']:.4g} on 355 held-out rows of `digits`. "
        "A mlp that distinguishes 10 classes of images of 28x28."
    )
    (made,) = run.outputs.model_outputs
    logged = mlflow_client.get_logged_model(made.model_id)
    assert (logged.name, logged.model_type, logged.status) == ("shown-now", "mlp", "READY")
    of_model = {metric.key: metric.value for metric in logged.metrics}
    assert of_model["accuracy"] == run.data.metrics["accuracy"]
    assert of_model["class/9/recall"] == run.data.metrics["class/9/recall"]
    assert "train_loss" not in of_model, "what is measured while it trains is the run's"


@pytest.mark.usefixtures("recorded")
def test_the_card_replaces_no_note_and_is_no_longer_than_a_note(
    mlflow_client: MlflowClient, identity: Identity, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run_note, "LONGEST", 300)
    outcome = job.run(asked(model_name="noted"), identity, Stop())
    note = mlflow_client.get_run(outcome.run_id).data.tags["mlflow.note.content"]
    assert note.startswith("<!-- model card -->\n# noted\n")
    assert note.endswith("\n\nmodel_card.md has the rest.")
    assert 200 < len(note) <= 300
    mlflow_client.set_tag(outcome.run_id, "mlflow.note.content", "mine")
    job.run(asked(model_name="noted"), replace(identity, attempt=2), Stop())
    assert mlflow_client.get_run(outcome.run_id).data.tags["mlflow.note.content"] == "mine"


def test_mlflow_loads_the_logged_model_and_knows_its_environment(mlflow_client: MlflowClient, identity: Identity):
    import mlflow
    from mlflow.utils.environment import _PythonEnv

    outcome = job.run(asked(register_model=False), identity, Stop())
    (logged,) = mlflow_client.get_run(outcome.run_id).outputs.model_outputs
    place = mlflow_client.get_logged_model(logged.model_id).artifact_location
    inputs = np.zeros((2, 784), np.float32)
    (answers,) = mlflow.pyfunc.load_model(place).predict(inputs).values()
    (served,) = onnxruntime.InferenceSession(f"{place}/model.onnx").run(None, {"inputs": inputs})
    assert np.array_equal(answers, served)
    # What `mlflow models serve` makes a virtual environment of.
    environment = _PythonEnv.from_yaml(f"{place}/python_env.yaml")
    assert (environment.python, environment.dependencies) == (platform.python_version(), ["-r requirements.txt"])
    requirements = Path(mlflow.pyfunc.get_model_dependencies(place)).read_text().split()
    assert [line.partition("==")[0] for line in requirements] == ["mlflow", "onnx", "onnxruntime"]


def test_the_model_card_and_the_evaluation_agree(mlflow_client: MlflowClient, identity: Identity, tmp_path: Path):
    outcome = job.run(asked(register_model=False), identity, Stop())
    card = Path(mlflow_client.download_artifacts(outcome.run_id, "model_card.md", str(tmp_path))).read_text()
    figures = json.loads(
        Path(mlflow_client.download_artifacts(outcome.run_id, "evaluation.json", str(tmp_path))).read_text()
    )
    assert figures["accuracy"] == outcome.metrics["accuracy"]
    assert f"accuracy {figures['accuracy']:.4f}" in card
    assert outcome.sha256 in card
    assert outcome.dataset_digest in card
    assert sum(map(sum, figures["confusion"])) == 355


def test_a_metric_that_only_the_model_type_measures_can_be_the_objective(
    mlflow_client: MlflowClient, identity: Identity, recorded: None, monkeypatch: pytest.MonkeyPatch
):
    own = Objective("val_accuracy", Direction.MAXIMISE)
    monkeypatch.setattr(job, "objective_of", lambda *_: own)
    outcome = job.run(asked(model_name="own"), identity, Stop())
    assert own.value(outcome.metrics) == mlflow_client.get_run(outcome.run_id).data.metrics["val_accuracy"]
    assert own.value(JobsTable.from_environment().job(str(identity.job_id)).metrics) == own.value(outcome.metrics)
    (version,) = versions(mlflow_client, outcome.run_id)
    assert version.tags["objective"] == "val_accuracy"
    assert not [name for name in outcome.metrics if name.startswith("baseline_")]


def test_a_run_that_is_not_to_register_has_a_model_and_no_version(mlflow_client: MlflowClient, identity: Identity):
    outcome = job.run(asked(register_model=False), identity, Stop())
    assert outcome.model_version is None
    run = mlflow_client.get_run(outcome.run_id)
    (model,) = run.outputs.model_outputs
    assert run.data.tags["mlops.model_uri"] == f"models:/{model.model_id}"
    assert versions(mlflow_client, outcome.run_id) == []
    assert job.register(asked(model_name="later"), outcome) == 1
    assert job.register(asked(model_name="later"), outcome) == 1


@pytest.mark.usefixtures("aws")
def test_an_attempt_after_the_end_repeats_nothing(mlflow_client: MlflowClient, identity: Identity):
    """As when the host dies between registering and reporting."""
    first = job.run(asked(model_name="again"), identity, Stop())
    second = job.run(asked(model_name="again"), Identity(**{**identity.__dict__, "attempt": 2}), Stop())
    assert second == first
    assert len(versions(mlflow_client, first.run_id)) == 1
    assert len(mlflow_client.get_metric_history(first.run_id, "train_loss")) == 2
    assert len(mlflow_client.get_run(first.run_id).outputs.model_outputs) == 1


@pytest.mark.usefixtures("recorded")
def test_data_that_cannot_be_read_ends_the_run_as_failed_with_the_reason(
    mlflow_client: MlflowClient, identity: Identity
):
    with pytest.raises(DataError):
        job.run(asked(dataset="s3://artifacts/datasets/gone.csv"), identity, Stop())
    reason = "s3://artifacts/datasets/gone.csv: there is no such object"
    run = run_of(mlflow_client, identity)
    assert run.info.status == "FAILED"
    assert run.data.tags["mlops.error"] == reason
    record = JobsTable.from_environment().get(identity.job_id)
    assert (record.status, record.error) == ("failed", reason)


@pytest.mark.usefixtures("recorded", "plugin")
def test_a_parity_failure_registers_nothing(mlflow_client: MlflowClient, identity: Identity):
    with pytest.raises(ParityError):
        job.run(Parameters(model_type="liar", model_name="lies"), identity, Stop())
    assert run_of(mlflow_client, identity).info.status == "FAILED"
    assert "differs from the trained one" in JobsTable.from_environment().get(identity.job_id).error
    assert list(mlflow_client.search_model_versions("name = 'lies'")) == []


@pytest.mark.usefixtures("recorded")
def test_a_defect_fails_the_run_too_and_tells_its_place_only(
    mlflow_client: MlflowClient, identity: Identity, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(models.BUILT_IN, "odd", "json:JSONDecoder")
    with pytest.raises(AttributeError):
        job.run(asked(model_type="odd"), identity, Stop())
    error = JobsTable.from_environment().get(identity.job_id).error
    assert error.startswith("internal error: AttributeError in settings.py:")
    assert "Traceback" in capsys.readouterr().out


@pytest.mark.usefixtures("recorded")
def test_a_full_disk_is_named_as_the_reason(identity: Identity, monkeypatch: pytest.MonkeyPatch):
    def full(*_arguments: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("trainer.job.data.load", full)
    with pytest.raises(OSError, match="No space left"):
        job.run(asked(), identity, Stop())
    error = JobsTable.from_environment().get(identity.job_id).error
    assert error == "the disk is full (No space left on device): free some space, and start the run again"


@pytest.mark.usefixtures("aws")
def test_an_interrupted_run_is_not_failed_and_is_taken_up(mlflow_client: MlflowClient, identity: Identity):
    stop = Stop()
    stop.request()
    with pytest.raises(Interrupted):
        job.run(asked(), identity, stop)
    outcome = job.run(asked(), Identity(**{**identity.__dict__, "attempt": 2}), Stop())
    assert outcome.model_version


def test_mlflow_that_stays_away_is_named(monkeypatch: pytest.MonkeyPatch, identity: Identity):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("DELIVERY_MAX_WAIT_SECONDS", "1")
    monkeypatch.setattr(job, "LAST_WORDS_SECONDS", 0.5)
    with pytest.raises(Unreachable, match=r"MLflow at http://127\.0\.0\.1:9: no answer"):
        job.run(asked(), identity, Stop())


def test_the_state_is_left_when_mlflow_stays_away(monkeypatch: pytest.MonkeyPatch, identity: Identity, tmp_path: Path):
    monkeypatch.setenv("CHECKPOINT_DIR", str(tmp_path))
    test_mlflow_that_stays_away_is_named(monkeypatch, identity)
    assert (tmp_path / identity.job_id / "latest").exists()


@pytest.mark.usefixtures("aws")
def test_a_bucket_that_refuses_is_named(
    mlflow_client: MlflowClient, monkeypatch: pytest.MonkeyPatch, identity: Identity
):
    monkeypatch.setenv("ARTIFACT_BUCKET", "nobodys-bucket")
    with pytest.raises(TrainingError, match=r"s3://nobodys-bucket/checkpoints/.*refused \(NoSuchBucket"):
        job.run(asked(), identity, Stop())
    assert run_of(mlflow_client, identity).info.status == "FAILED"


def labelled(label: str) -> str:
    return "\n".join(["a,b,label", *[f"{row},{-row},{name}" for name in (label, "other") for row in range(10)]])


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("label", ["<=50K", "R&D", "10%", "C++", "²", "L" * 300])
def test_any_text_is_a_label(mlflow_client: MlflowClient, identity: Identity, label: str, tmp_path: Path):
    boto3.client("s3").put_object(Bucket="artifacts", Key="datasets/odd.csv", Body=labelled(label).encode())
    outcome = job.run(asked(dataset="s3://artifacts/datasets/odd.csv", model_name="odd"), identity, Stop())
    run = mlflow_client.get_run(outcome.run_id)
    labels = sorted([label, "other"])
    assert json.loads(run.data.tags["mlops.labels"]) == labels
    assert {"class/0/precision", "class/1/precision", "class/0/recall", "class/1/recall"} <= set(run.data.metrics)
    evaluation = mlflow_client.download_artifacts(outcome.run_id, "evaluation.json", str(tmp_path))
    assert json.loads(Path(evaluation).read_text())["labels"] == labels
    assert 0 < run.data.metrics["peak_memory_mb"] < 16 * 1024


@pytest.mark.usefixtures("aws")
def test_what_is_left_out_of_the_data_is_said(
    mlflow_client: MlflowClient, identity: Identity, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    rows = [f"{row},{row % 7}.5,{name}" for row, name in enumerate(["ash", "elm"] * 10)]
    content = "\n".join([",a,label", *rows]).encode()
    boto3.client("s3").put_object(Bucket="artifacts", Key="datasets/index.csv", Body=content)
    outcome = job.run(asked(dataset="s3://artifacts/datasets/index.csv", model_name="index"), identity, Stop())
    note = "column 1, without a name, is left out: it counts the rows"
    assert mlflow_client.get_run(outcome.run_id).data.tags["mlops.data_notes"] == note
    card = mlflow_client.download_artifacts(outcome.run_id, "model_card.md", str(tmp_path))
    assert f"- {note}\n" in Path(card).read_text()
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["note"] for event in events if event["event"] == "data.note"] == [note]


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
def test_as_many_classes_as_are_allowed(mlflow_client: MlflowClient, identity: Identity):
    """Their metrics are more than MLflow takes in one call, and their labels more than a tag holds."""
    rows = [f"{index},{row},class {index:04d}" for index in range(1000) for row in range(5)]
    content = "\n".join(["a,b,label", *rows]).encode()
    boto3.client("s3").put_object(Bucket="artifacts", Key="datasets/many.csv", Body=content)
    outcome = job.run(asked(dataset="s3://artifacts/datasets/many.csv", model_name="many"), identity, Stop())
    run = mlflow_client.get_run(outcome.run_id)
    assert "class/999/recall" in run.data.metrics
    assert "mlops.labels" not in run.data.tags


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("asked_for", [{"epochs": 100, "batch_size": 8}, {"model_type": "logistic_regression"}])
def test_a_deleted_experiment_is_refused_before_the_training_is_done(
    mlflow_client: MlflowClient, identity: Identity, asked_for: dict, capsys: pytest.CaptureFixture[str]
):
    name = f"deleted before {identity.job_id}"
    mlflow_client.delete_experiment(mlflow_client.create_experiment(name))
    with pytest.raises(ParameterError, match="was deleted in MLflow; restore it or choose another name"):
        job.run(asked(experiment_name=name, **asked_for), identity, Stop())
    epochs = [line for line in capsys.readouterr().out.splitlines() if '"epoch.done"' in line]
    assert len(epochs) < (50 if "epochs" in asked_for else 1)
    record = JobsTable.from_environment().get(identity.job_id)
    assert (record.status, "restore it" in (record.error or "")) == ("failed", True)


def test_a_run_without_a_folder_for_temporary_files_fails_before_it_trains(
    mlflow_client: MlflowClient, identity: Identity, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    with pytest.raises(TrainingError, match="mount a writable /tmp"):
        job.run(asked(), identity, Stop())
    assert "data.loaded" not in capsys.readouterr().out


def test_an_experiment_that_was_deleted_is_named(mlflow_client: MlflowClient, identity: Identity):
    mlflow_client.delete_experiment(mlflow_client.create_experiment("gone"))
    with pytest.raises(TrainingError, match="'gone' was deleted in MLflow; restore it"):
        job.run(asked(experiment_name="gone"), identity, Stop())
