"""What MLflow learns of a run: params, metrics an epoch, artifacts, the model, its version.

Everything is delivered in the background and in order, so that an MLflow that is away does not stop the training.
MLflow's client is imported on that thread: it costs more than a second, and the first epoch need not wait for it.
"""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trainer.courier import Courier
from trainer.data import Dataset
from trainer.errors import ParameterError
from trainer.log import say
from trainer.parameters import Identity, Parameters

JOB_TAG = "mlops.job_id"
SWEEP_TAG = "mlops.sweep_id"
MODEL_TAG = "mlops.model_uri"
MODEL_ARTIFACT = "model"
SYSTEM_SECONDS = 5.0


class Run:
    """One MLflow run, written in the background. A job's later attempts write on in the run of the first."""

    def __init__(self, parameters: Parameters, identity: Identity, patience: float) -> None:
        self._uri = os.environ.get("MLFLOW_TRACKING_URI") or None
        self._parameters = parameters
        self._identity = identity
        self._courier = Courier(f"MLflow at {self._uri or 'its default store'}", patience)
        self._client: Any = None
        self._experiment_id = ""
        self._run_id: str | None = None
        self._logged_to = 0
        self._monitor: Any = None
        self._model_id: str | None = None
        self.model_version: int | None = None

    @property
    def run_id(self) -> str | None:
        """None until the server has answered for the first time."""
        return self._run_id

    def begin(self, params: Mapping[str, Any], tags: Mapping[str, str], on_run: Callable[[str], None]) -> None:
        """Find or create the run; `on_run` is called with its id."""
        self._courier.send(self._connect)
        self._courier.send(lambda: self._describe(params, tags))
        self._courier.send(lambda: on_run(self._known()))

    def adopt(self, run_id: str) -> None:
        """Write on in a run that has ended, instead of `begin`."""
        self._courier.send(lambda: self._adopt(run_id))

    def data(self, dataset: Dataset) -> None:
        """Log which data the run uses, by digest."""
        self._courier.send(lambda: self._log_data(dataset))

    def epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        at = int(time.time() * 1000)
        self._courier.send(lambda: self._log_metrics(metrics, epoch, at))

    def results(self, metrics: Mapping[str, float], tags: Mapping[str, str], folder: Path) -> None:
        """Log the end's metrics and tags, and the files of `folder` as artifacts."""
        self._courier.send(lambda: self._describe({}, tags))
        self._courier.send(lambda: self._log_metrics(metrics, None, int(time.time() * 1000)))
        self._courier.send(lambda: self._client.log_artifacts(self._known(), str(folder)))

    def model(self, content: bytes, dataset: Dataset, metadata: Mapping[str, Any]) -> None:
        """Log the ONNX model; idempotent."""
        self._courier.send(lambda: self._log_model(content, dataset, metadata))

    def register(self, name: str, tags: Mapping[str, str]) -> None:
        """Register the logged model as a version of `name`; a run has one version, however often this is done."""
        self._courier.send(lambda: self._register(name, tags))

    def end(self, status: str) -> None:
        """`status` is MLflow's: FINISHED, FAILED or KILLED."""
        self._courier.send(lambda: self._end(status))

    def fail(self, reason: str) -> None:
        self._courier.send(lambda: self._describe({}, {"mlops.error": reason[:5000]}))
        self.end("FAILED")

    def flush(self, within: float | None = None) -> None:
        """Wait until MLflow has everything. Raises Unreachable with its address."""
        self._courier.flush(within)

    def close(self) -> None:
        """Nothing more is sent."""
        self._courier.close()

    def _known(self) -> str:
        assert self._run_id is not None, "begin comes first"
        return self._run_id

    def _connect(self) -> None:
        self._open()
        self._experiment_id = self._experiment(self._parameters.experiment_name)
        self._run_id = self._find() or self._create()
        self._watch()
        say("mlflow.run", run_id=self._run_id, experiment_id=self._experiment_id)

    def _adopt(self, run_id: str) -> None:
        self._open()
        self._run_id = run_id
        self._model_id = self._client.get_run(run_id).data.tags[MODEL_TAG].removeprefix("models:/")

    def _open(self) -> None:
        # Retries are ours: MLflow's own would repeat POSTs, minutes long, before we hear of it.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)

        if self._uri:
            from trainer import sigv4

            if sigv4.wanted(self._uri):
                sigv4.use()
        self._client = MlflowClient(tracking_uri=self._uri)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage == "deleted":
            raise ParameterError(f"the experiment {name!r} was deleted in MLflow; restore it or choose another name")
        return str(found.experiment_id)

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
        name = self._parameters.run_name or self._identity.job_id
        return str(self._client.create_run(self._experiment_id, tags=tags, run_name=name).info.run_id)

    def _watch(self) -> None:
        """MLflow's own system metrics: CPU, memory, disk, network."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        self._monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
            self._known(),
            sampling_interval=SYSTEM_SECONDS,
            resume_logging=self._identity.attempt > 1,
            tracking_uri=self._uri,
        )
        self._monitor.start()

    def _describe(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        from mlflow.entities import Param, RunTag

        self._client.log_batch(
            self._known(),
            params=[Param(key, str(value)) for key, value in params.items()],
            tags=[RunTag(key, str(value)) for key, value in tags.items()],
        )

    def _log_metrics(self, metrics: Mapping[str, float], epoch: int | None, at: int) -> None:
        from mlflow.entities import Metric

        # An attempt that resumed from an older checkpoint repeats epochs that are logged already.
        if epoch is not None and epoch <= self._logged_to:
            return
        entries = [Metric(key, value, at, epoch or 0) for key, value in metrics.items()]
        self._client.log_batch(self._known(), metrics=entries)

    def _log_data(self, dataset: Dataset) -> None:
        from mlflow.entities import Dataset as MlflowDataset
        from mlflow.entities import DatasetInput, InputTag

        logged = MlflowDataset(
            name=dataset.name[:500],
            digest=dataset.digest[:36],  # as long as MLflow's column
            source_type="mlops",
            source=f'{{"dataset": "{dataset.name}", "sha256": "{dataset.digest}"}}',
            profile=f'{{"train_rows": {len(dataset.train)}, "held_out_rows": {len(dataset.held_out)}}}',
        )
        self._client.log_inputs(self._known(), [DatasetInput(logged, [InputTag("mlflow.data.context", "training")])])

    def _log_model(self, content: bytes, dataset: Dataset, metadata: Mapping[str, Any]) -> None:
        """As `mlflow.onnx.log_model` does, by the client's calls, so that a second try finds the first one's model."""
        from mlflow.entities import LoggedModelOutput

        done = self._client.get_run(self._known()).data.tags.get(MODEL_TAG)
        if done:
            self._model_id = done.removeprefix("models:/")
            return
        model = self._client.create_logged_model(
            self._experiment_id,
            name=MODEL_ARTIFACT,
            source_run_id=self._known(),
            model_type=self._parameters.model_type,
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / MODEL_ARTIFACT
            _save(path, content, dataset, self._known(), model, metadata)
            self._client.log_model_artifacts(model.model_id, str(path))
        self._client.finalize_logged_model(model.model_id, "READY")
        self._client.log_outputs(self._known(), [LoggedModelOutput(model.model_id, step=0)])
        self._client.set_tag(self._known(), MODEL_TAG, f"models:/{model.model_id}")
        self._model_id = model.model_id

    def _register(self, name: str, tags: Mapping[str, str]) -> None:
        from mlflow.exceptions import MlflowException

        found = self._client.search_model_versions(f"name = '{name}' and run_id = '{self._known()}'", max_results=1)
        if found:
            self.model_version = int(found[0].version)
            return
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = self._client.create_model_version(
            name, source=f"models:/{self._model_id}", run_id=self._known(), tags=dict(tags), model_id=self._model_id
        )
        self.model_version = int(version.version)

    def _end(self, status: str) -> None:
        if self._monitor:
            self._monitor.finish()
        self._client.set_terminated(self._known(), status)


def version_tags(sha256: str, dataset_digest: str, job_id: str | None) -> dict[str, str]:
    """The tags of a model version; the platform moves `stage` from here on."""
    tags = {"stage": "Registered", "sha256": sha256, "dataset_digest": dataset_digest}
    return {**tags, "job_id": job_id} if job_id else tags


def _save(path: Path, content: bytes, dataset: Dataset, run_id: str, logged: Any, metadata: Mapping[str, Any]) -> None:
    """Write the folder of an MLflow model: MLmodel, model.onnx, and the environment that pyfunc would need."""
    import mlflow.onnx
    import numpy as np
    import onnx
    import onnxruntime
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature
    from mlflow.types import Schema, TensorSpec

    signature = ModelSignature(
        Schema([TensorSpec(np.dtype(np.float32), (-1, dataset.features), "inputs")]),
        Schema([TensorSpec(np.dtype(np.float32), (-1, dataset.classes), "probabilities")]),
    )
    mlflow.onnx.save_model(
        onnx.load_from_string(content),
        str(path),
        mlflow_model=Model(
            artifact_path=logged.artifact_location, model_uuid=logged.model_id, run_id=run_id, model_id=logged.model_id
        ),
        signature=signature,
        pip_requirements=[f"mlflow=={mlflow.__version__}", f"onnxruntime=={onnxruntime.__version__}"],
        metadata=dict(metadata),
        save_as_external_data=False,
    )
    # The very bytes whose hash is logged.
    (path / "model.onnx").write_bytes(content)
