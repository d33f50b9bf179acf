"""What MLflow is given of a run: params, metrics of each epoch, artifacts, the model, its version.

Everything is delivered in the background and in order, so that an MLflow that is away does not stop the training.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.domain.objective import SUMMARY_TAG, Objective
from mlops_contract import Task
from mlops_conversion import mlflow_log
from mlops_conversion.mlflow_log import MODEL_TAG
from trainer.data import Dataset
from trainer.delivery import BackgroundSender
from trainer.errors import ParameterError
from trainer.log import log_event
from trainer.parameters import Identity, Parameters, ParameterValue
from trainer.summary import CARD
from trainer.tracking import note, system_metrics

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

JOB_TAG = "mlops.job_id"
SWEEP_TAG = "mlops.sweep_id"
_MODULES = (system_metrics.MODULE, "mlflow.tracking.request_header.registry")


class TrackedRun:
    """One MLflow run, written in the background. A job's later attempts write on in the run of the first."""

    def __init__(self, parameters: Parameters, identity: Identity, max_wait: float) -> None:
        self._uri = os.environ.get("MLFLOW_TRACKING_URI") or None
        self._parameters = parameters
        self._identity = identity
        self._sender = BackgroundSender(f"MLflow at {self._uri or 'its default store'}", max_wait)
        self._connected_client: MlflowClient | None = None
        self._experiment_id = ""
        self._run_id: str | None = None
        self._logged_to = 0
        self._monitor: SystemMetricsMonitor | None = None
        self._model_id: str | None = None
        self.model_version: int | None = None

    @property
    def run_id(self) -> str | None:
        """None until the server has answered for the first time."""
        return self._run_id

    def begin(
        self, params: Mapping[str, ParameterValue], tags: Mapping[str, str], on_run: Callable[[str], None]
    ) -> None:
        """Find or create the run; `on_run` is called with its id."""
        _load_client(self._uri)
        self._sender.send(self._connect)
        self._sender.send(lambda: self._describe(params, tags))
        self._sender.send(lambda: on_run(self._known()))

    def wait(self, seconds: float) -> None:
        """Wait until MLflow has everything that was sent, or has refused it, for at most `seconds`."""
        self._sender.wait(seconds)

    def check(self) -> None:
        """Raises ParameterError if MLflow refuses what the run was asked to do."""
        if isinstance(self._sender.failure, ParameterError):
            raise self._sender.failure

    def adopt(self, run_id: str) -> None:
        """Write on in a run that has ended, instead of `begin`."""
        _load_client(self._uri)
        self._sender.send(lambda: self._adopt(run_id))

    def data(self, dataset: Dataset) -> None:
        """Log which data the run uses, by digest."""
        self._sender.send(lambda: self._log_data(dataset))

    def epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of epoch `epoch` (from 1)."""
        at = int(time.time() * 1000)
        self._sender.send(lambda: self._log_metrics(metrics, epoch, at))

    def results(self, tags: Mapping[str, str], folder: Path) -> None:
        """Log the end's tags, and the files of `folder` as artifacts; its model card is the run's note as well."""
        card = (folder / CARD).read_text("utf-8")
        self._sender.send(lambda: self._describe({}, tags))
        self._sender.send(lambda: self._note(card))
        self._sender.send(lambda: self._client.log_artifacts(self._known(), str(folder)))

    def model(
        self, content: bytes, dataset: Dataset, metadata: Mapping[str, str], metrics: Mapping[str, float]
    ) -> None:
        """Log the ONNX model, once, and the end's metrics, which are the run's and the model's."""
        self._sender.send(lambda: self._log_model(content, dataset, metadata))
        self._sender.send(lambda: mlflow_log.measured(self._client, self._known(), self._logged_model(), metrics))

    def register(self, name: str, tags: Mapping[str, str]) -> None:
        """Register the logged model as a version of `name`; a run has one version, however often this is done."""
        self._sender.send(lambda: self._register(name, tags))

    def end(self, status: str) -> None:
        """`status` is MLflow's: FINISHED, FAILED or KILLED."""
        self._sender.send(lambda: self._end(status))

    def fail(self, reason: str) -> None:
        """End the run as failed, with the reason as a tag."""
        self._sender.send(lambda: self._describe({}, {"mlops.error": reason[:5000]}))
        self.end("FAILED")

    def prune(self, reason: str) -> None:
        """End the run that its sweep has pruned, with the reason as a tag."""
        self._sender.send(lambda: self._describe({}, {"mlops.pruned": reason[:5000]}))
        self.end("KILLED")

    def flush(self, within: float | None = None) -> None:
        """Wait until MLflow has everything, for at most `within` seconds. Raises Unreachable with its address."""
        self._sender.flush(within)

    def close(self) -> None:
        """Nothing more is sent."""
        self._sender.close()

    @property
    def _client(self) -> "MlflowClient":
        assert self._connected_client is not None, "begin or adopt comes first"
        return self._connected_client

    def _known(self) -> str:
        assert self._run_id is not None, "begin comes first"
        return self._run_id

    def _connect(self) -> None:
        self._open()
        self._experiment_id = self._experiment(self._parameters.experiment_name)
        self._run_id = self._find() or self._create()
        self._monitor = system_metrics.watch(self._run_id, self._uri, resumed=self._identity.attempt > 1)
        log_event("mlflow.run", run_id=self._run_id, experiment_id=self._experiment_id)

    def _adopt(self, run_id: str) -> None:
        self._open()
        self._run_id = run_id
        self._model_id = self._client.get_run(run_id).data.tags[MODEL_TAG].removeprefix("models:/")

    def _open(self) -> None:
        from mlflow import MlflowClient

        self._connected_client = MlflowClient(tracking_uri=self._uri)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                experiment = self._client.get_experiment_by_name(name)
        if experiment is None or experiment.lifecycle_stage == "deleted":
            raise ParameterError(f"the experiment {name!r} was deleted in MLflow; restore it or choose another name")
        return str(experiment.experiment_id)

    def _find(self) -> str | None:
        """The run of an earlier attempt, or of an answer to our own request that was lost."""
        if self._identity.job_id is None:
            return None
        query = f"tags.`{JOB_TAG}` = '{self._identity.job_id}'"
        runs = self._client.search_runs([self._experiment_id], query, max_results=1, order_by=["start_time ASC"])
        if not runs:
            return None
        run_id = str(runs[0].info.run_id)
        if runs[0].info.status != "RUNNING":
            self._client.update_run(run_id, status="RUNNING")
        history = self._client.get_metric_history(run_id, "train_loss") if runs[0].data.metrics else []
        self._logged_to = max((metric.step for metric in history), default=0)
        return run_id

    def _create(self) -> str:
        tags = {}
        if self._identity.job_id:
            tags[JOB_TAG] = self._identity.job_id
        if self._identity.sweep_id:
            tags[SWEEP_TAG] = self._identity.sweep_id
        if self._identity.actor:
            tags["mlflow.user"] = self._identity.actor
        name = self._parameters.run_name or self._identity.job_id
        return str(self._client.create_run(self._experiment_id, tags=tags, run_name=name).info.run_id)

    def _describe(self, params: Mapping[str, ParameterValue], tags: Mapping[str, str]) -> None:
        from mlflow.entities import Param, RunTag

        self._client.log_batch(
            self._known(),
            params=[Param(key, str(value)) for key, value in params.items()],
            tags=[RunTag(key, str(value)) for key, value in tags.items()],
        )

    def _note(self, card: str) -> None:
        """Let the card be the run's note, unless there is one: people may have written it meanwhile."""
        if note.TAG not in self._client.get_run(self._known()).data.tags:
            self._client.set_tag(self._known(), note.TAG, note.of_card(card))

    def _log_metrics(self, metrics: Mapping[str, float], epoch: int, at: int) -> None:
        from mlflow.entities import Metric

        # An attempt that resumed from an older checkpoint repeats epochs that are logged already.
        if epoch > self._logged_to:
            entries = [Metric(key, value, at, epoch) for key, value in metrics.items()]
            self._client.log_batch(self._known(), metrics=entries)

    def _log_data(self, dataset: Dataset) -> None:
        from mlflow.entities import Dataset as MlflowDataset
        from mlflow.entities import DatasetInput, InputTag

        logged = MlflowDataset(
            name=dataset.name[:500],
            digest=dataset.digest[:36],  # as long as MLflow's column
            source_type="mlops",
            source=json.dumps({"dataset": dataset.name, "sha256": dataset.digest}),
            profile=json.dumps({"train_rows": len(dataset.train), "held_out_rows": len(dataset.held_out)}),
        )
        self._client.log_inputs(self._known(), [DatasetInput(logged, [InputTag("mlflow.data.context", "training")])])

    def _log_model(self, content: bytes, dataset: Dataset, metadata: Mapping[str, str]) -> None:
        """Log the model, unless an earlier try has logged it whole."""
        from trainer.tracking.model_shape import shape_of

        run_id = self._known()
        done = self._client.get_run(run_id).data.tags.get(MODEL_TAG)
        if done:
            self._model_id = done.removeprefix("models:/")
            return
        name, kind = self._parameters.model_name, self._parameters.model_type
        self._model_id = mlflow_log.log(
            self._client, self._experiment_id, run_id, name, kind, content, shape_of(dataset), metadata
        )

    def _logged_model(self) -> str:
        assert self._model_id is not None, "the model is logged first"
        return self._model_id

    def _register(self, name: str, tags: Mapping[str, str]) -> None:
        own = self._client.search_model_versions(f"name = '{name}' and run_id = '{self._known()}'", max_results=1)
        if own:
            self.model_version = int(own[0].version)
        else:
            about = self._client.get_run(self._known()).data.tags.get(SUMMARY_TAG, "")
            self.model_version = mlflow_log.register(
                self._client, name, self._known(), self._logged_model(), tags, about
            )

    def _end(self, status: str) -> None:
        if self._monitor:
            system_metrics.finish(self._monitor)
        self._client.set_terminated(self._known(), status)


def _load_client(uri: str | None) -> None:
    """Import MLflow's client, in the thread that trains.

    Importing MLflow reads the list of all modules. If another thread imports at that time, it breaks off half-way, and
    has left locks behind that the other thread then waited for without end.
    """
    # Retries are ours: MLflow's own would repeat POSTs for minutes before we hear of it.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    for name in _MODULES:
        import_module(name)
    if not (uri or "").startswith("http"):
        # A store without a server imports as much again when it is used. Its errors come again in the sender's thread.
        with suppress(Exception):
            import_module("mlflow").MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    if uri:
        from trainer.tracking import signing

        if signing.is_needed(uri):
            signing.use()


def version_tags(
    sha256: str, dataset_digest: str, objective: Objective, task: Task, job_id: str | None
) -> dict[str, str]:
    """The tags of a new model version; from here on the platform changes `stage`."""
    tags = {"stage": "Registered", "sha256": sha256, "dataset_digest": dataset_digest, "task": task.value}
    tags |= objective.tags
    return {**tags, "job_id": job_id} if job_id else tags
