"""`.local/env`: how shells, tests and tools find the running stack."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from infra.local.credentials import Credentials
from infra.local.errors import LocalStackError
from infra.local.processes import write_atomically
from infra.local.settings import HOST, REGION, Settings

# Variables of the caller's shell that would lead a process of the stack elsewhere: to another account or address, to
# another database (libpq reads PG…), or to other modules.
_FOREIGN = ("AWS_", "BOTO_", "DATABASE_", "MLFLOW_", "MLOPS_", "PG", "PYTHON")
# The first line of `.local/env`: an AWS_PROFILE or AWS_ENDPOINT_URL_S3 of the shell would win over what follows.
_FORGET_AWS = r"unset AWS_PROFILE $(env | sed -n 's/^\(AWS_[A-Z0-9_]*\)=.*/\1/p')"


def stack_environment(settings: Settings, api_key: str) -> dict[str, str]:
    """What a program needs to use the stack, by the names its tools read."""
    return {
        "MLOPS_API_URL": settings.api_url,
        "MLOPS_API_KEY": api_key,
        "MLFLOW_TRACKING_URI": settings.tracking_url,
        **aws_environment(settings),
        **without_proxy(),
    }


def addresses(variables: Mapping[str, str], experiment_id: str | None = None) -> dict[str, str]:
    """Return what people open, by its name.

    Args:
        variables: Those of `stack_environment`.
        experiment_id: What MLflow is to show; None stands for the list of experiments.
    """
    api, tracking = variables["MLOPS_API_URL"], variables["MLFLOW_TRACKING_URI"]
    shown = "" if experiment_id is None else f"/{experiment_id}/runs"
    return {
        "console": f"{api}/console",
        "API documentation": f"{api}/docs",
        # Without it MLflow 3 opens an experiment on its page for generative AI, which is empty here.
        "MLflow": f"{tracking}/#/experiments{shown}?workflowType=machine_learning",
    }


def aws_environment(settings: Settings) -> dict[str, str]:
    """What an AWS client needs to reach the local AWS. Raises LocalStackError before the first `up`."""
    return {
        "AWS_ENDPOINT_URL": settings.aws_url,
        **stack_credentials(settings).to_environment(),
        "AWS_DEFAULT_REGION": REGION,
    }


def stack_credentials(settings: Settings) -> Credentials:
    """The key of the stack's local AWS. Raises LocalStackError when `.local/env` has none."""
    credentials = Credentials.from_environment(read_env(settings.env_file))
    if credentials is None:
        raise LocalStackError(f"{settings.env_file} has no key of the local AWS: run `make up`, which creates one")
    return credentials


def ensure_credentials(settings: Settings) -> None:
    """Keep a key in `.local/env`, before anything starts that asks for it: a new one unless the file has one.

    The rest of the file stays: a stack of a version without keys goes on with its API key. A LocalStack that is up has
    a key already, which the caller's variables have. Raises LocalStackError when they do not.
    """
    variables = read_env(settings.env_file)
    if settings.engine:
        given = Credentials.from_environment(os.environ) or Credentials.from_environment(variables)
        if given is None:
            raise LocalStackError(
                f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not those of the LocalStack at {settings.engine}: "
                "load them from the file that `make engine` names"
            )
        write_env(settings.env_file, variables | given.to_environment())
    elif Credentials.from_environment(variables) is None:
        write_env(settings.env_file, variables | Credentials.generate().to_environment())


def child_environment() -> dict[str, str]:
    """The caller's variables for a process of the stack, without those that would lead it elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept | without_proxy()


def without_proxy() -> dict[str, str]:
    """The variables that keep a configured proxy out of connections within this machine."""
    named = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    hosts = ",".join(dict.fromkeys([*(host for host in named.split(",") if host), "localhost", HOST]))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def write_env(path: Path, variables: Mapping[str, str]) -> None:
    """Write the variables for `set -a; . .local/env; set +a`, readable by the owner alone."""
    lines = [_FORGET_AWS, *(f"{name}={shlex.quote(value)}" for name, value in variables.items())]
    write_atomically(path, "\n".join(lines) + "\n")


def read_env(path: Path) -> dict[str, str]:
    """The variables of a file `write_env` wrote; empty when there is none."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    variables = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and name.isidentifier():
            variables[name] = "".join(shlex.split(value))
    return variables
