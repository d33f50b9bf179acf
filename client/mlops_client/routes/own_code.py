"""Runs of your own training code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlops_client.models import CodeUpload, TrainAccepted
from mlops_client.packing import Archive, pack
from mlops_client.records import decode
from mlops_client.routes.base import given
from mlops_client.routes.training import TrainingRoutes
from mlops_client.running import RunningJob


class OwnCodeRoutes(TrainingRoutes):
    """Upload and run your own training code."""

    def run_script(
        self,
        script: str,
        *,
        folder: str | Path = ".",
        params: dict[str, Any] | None = None,
        requirements: str | None = None,
        dataset: str | None = None,
        objective: str | None = None,
        direction: str | None = None,
        resources: dict[str, float] | None = None,
        experiment_name: str | None = None,
        run_name: str | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> RunningJob:
        """Pack a folder, upload it, and run a script of it as a job.

        Args:
            script: The path of the script in the folder, such as train.py.
            folder: What is packed: the files that git tracks or does not ignore.
            params: Given to the script as arguments `--name=value`.
            requirements: The path of a requirements file in the folder.
            dataset: The s3:// or https:// address of a file, whose copy the script finds by MLOPS_DATASET.
            objective: The metric of the script that says how good the run is.
            direction: maximise or minimise, for an objective of your own.
            resources: {"vcpu", "memory_gb", "minutes"} of the job.
            experiment_name: The MLflow experiment of the run.
            run_name: The run's name.
            idempotency_key: Requests with the same key are carried out only once.
            **more: Fields of a newer platform.

        Raises:
            BadInput: The folder has no such file, or is too large.
        """
        named = {
            name: value for name, value in locals().items() if name not in ("self", "folder", "idempotency_key", "more")
        }
        archive = pack(Path(folder), [script, *([requirements] if requirements else [])])
        return self.run_archive(archive, {**given(named), **more}, idempotency_key)

    def run_archive(self, archive: Archive, fields: dict[str, Any], idempotency_key: str | None = None) -> RunningJob:
        """Upload an archive, unless it is there already, and start a run of it with the fields of POST /runs."""
        asked = {"sha256": archive.sha256, "size": len(archive.content)}
        upload = decode(CodeUpload, self.transport.call("POST", "/code", asked, safe=True))
        if upload.url is not None:
            self.transport.upload(upload.url, archive.content, upload.headers)
        body = {"code": upload.code, **fields}
        return RunningJob(self, decode(TrainAccepted, self._post("/runs", body, key=idempotency_key)).job_id)
