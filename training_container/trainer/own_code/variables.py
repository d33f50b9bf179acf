"""The environment of a script: where its data set and checkpoints are, and what its MLflow needs."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mlops.domain.code_run import RunRequest
from mlops.domain.training_request import Value

LOGIN = Path(__file__).parent / "login"
_OWN = ("CODE_RUN", "DATASET_BUCKETS", "DELIVERY_MAX_WAIT_SECONDS", "REQUEST_ID", "PYTHONPATH")
"""Variables of the job that are not the script's."""


def of_script(
    request: RunRequest,
    environment: Mapping[str, str],
    *,
    packages: Path,
    checkpoints: Path,
    dataset: Path | None,
    dataset_address: str | None,
) -> dict[str, str]:
    """Return the variables of the script. Those of MLflow let a plain `mlflow.start_run()` continue the job's run.

    Args:
        request: What to run.
        environment: The variables of the job.
        packages: The folder of the requirements.
        checkpoints: The folder that is kept between attempts.
        dataset: The file of the data set, or its folder.
        dataset_address: Where it was read.
    """
    kept = {name: value for name, value in environment.items() if name not in _OWN}
    path = [str(packages), str(LOGIN), environment.get("PYTHONPATH", "")]
    variables = {
        **kept,
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
        "PYTHONUNBUFFERED": "1",
        "MLFLOW_EXPERIMENT_NAME": request.experiment_name,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLOPS_JOB_ID": environment["JOB_ID"],
        "MLOPS_ATTEMPT": environment.get("AWS_BATCH_JOB_ATTEMPT") or "1",
        "MLOPS_CHECKPOINT_DIR": str(checkpoints),
    }
    if ".execute-api." in (urlsplit(environment.get("MLFLOW_TRACKING_URI", "")).hostname or ""):
        variables["MLFLOW_TRACKING_AUTH"] = "mlops_sigv4"
    if dataset is not None and dataset_address is not None:
        variables |= {"MLOPS_DATASET": str(dataset), "MLOPS_DATASET_URI": dataset_address}
    return variables


def arguments(params: Mapping[str, Value]) -> list[str]:
    """Return the parameters as arguments of the script. true, false and null are written as in JSON."""
    words = {True: "true", False: "false", None: "null"}
    return [
        f"--{name}={words[value] if value is None or isinstance(value, bool) else value}"
        for name, value in params.items()
    ]
