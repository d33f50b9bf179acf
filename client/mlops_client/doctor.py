"""Checks everything that a prediction needs, from the login to the model, and says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlops_client.client import Client
from mlops_client.config import Login, config_file, others_may_read, read_login
from mlops_client.errors import ApiError, Forbidden, MlopsError, NotSignedIn, Unreachable
from mlops_client.models import Dependency, ModelDetail
from mlops_client.version import __version__

_MODELS_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        remedy: What to do, if anything.
    """

    check: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    remedy: str | None = None


def examine(url: str | None = None, key: str | None = None) -> list[Finding]:
    """Return all findings, without the checks that depend on a failed one."""
    try:
        login = read_login(url, key)
    except NotSignedIn as error:
        return [Finding("login", "fail", str(error), "mlops login URL, or mlops login --local for the local stack")]
    findings = [_login(login)]
    try:
        client = Client(login.url, login.key, attempts=2, timeout=15)
        version = client.health().version
        findings.append(Finding("api", "ok", f"{login.url} answers, version {version}"))
        findings += _versions(version)
    except (Unreachable, NotSignedIn, ApiError) as error:
        return [*findings, Finding("api", "fail", str(error), _start(login.url))]
    findings += _dependencies(client, login)
    try:
        findings += _jobs(client) + _models(client)
    except Forbidden as error:
        if "role" in error.detail:
            remedy = "ask an operator for a key with the role read or a higher one"
            findings.append(Finding("key", "warn", str(error), remedy))
        else:
            findings.append(Finding("key", "fail", str(error), f"mlops login {login.url}"))
    except MlopsError as error:
        findings.append(Finding("platform", "fail", str(error), "search the functions' logs for the request ID"))
    return findings


def _login(login: Login) -> Finding:
    path = config_file()
    if path.exists() and others_may_read(path):
        return Finding("login", "warn", f"{path} can be read by other users", f"chmod 600 {path}")
    return Finding("login", "ok", f"{login.url}, key from {login.source}")


def _versions(platform: str) -> list[Finding]:
    """Return a warning if the client is not made for the platform's version."""
    if platform.split(".")[:2] == __version__.split(".")[:2]:
        return []
    detail = f"the platform has version {platform}, and this client {__version__}: some commands may not work"
    return [Finding("version", "warn", detail, "install the client of the platform's version")]


def _dependencies(client: Client, login: Login) -> list[Finding]:
    try:
        ready = client.ready()
    except MlopsError as error:
        return [Finding("ready", "fail", str(error), _start(login.url))]
    return [_dependency(name, service, login) for name, service in ready.dependencies.items()]


def _dependency(name: str, service: Dependency, login: Login) -> Finding:
    if not service.ok:
        return Finding(name, "fail", service.detail, _start(login.url))
    if service.warning is not None:
        return Finding(name, "warn", service.warning)
    return Finding(name, "ok", service.detail)


def _jobs(client: Client) -> list[Finding]:
    jobs = client.jobs(limit=20)
    findings = [Finding("key", "ok", "the key is valid and may read")]
    failed = [job for job in jobs if job.status == "failed"]
    if failed:
        detail = f"{len(failed)} of the last {len(jobs)} jobs failed; {failed[0].job_id}: {failed[0].error}"
        findings.append(Finding("jobs", "warn", detail, f"mlops logs {failed[0].job_id}"))
    else:
        findings.append(Finding("jobs", "ok", f"none of the last {len(jobs)} jobs failed"))
    return findings


def _models(client: Client) -> list[Finding]:
    models = client.models(limit=100)
    if not models:
        return [Finding("model", "warn", "there is no model yet", "mlops train --watch")]
    serving = [model for model in models if model.production_version is not None]
    if not serving:
        first = models[0]
        remedy = f"mlops promote {first.latest_version or 1} --model {first.name}"
        return [Finding("model", "warn", "no model has a version in Production", remedy)]
    details = [client.model(model.name, limit=1) for model in serving]
    lapsed = [finding for detail in details for finding in _lapsed(detail)]
    fine = [detail for detail in details if detail.production_refusal is None]
    return lapsed + [
        Finding("model", "ok", f"{detail.name} version {detail.production_version} is in Production")
        for detail in fine[:_MODELS_SHOWN]
    ]


def _lapsed(model: ModelDetail) -> list[Finding]:
    """Return a warning for each version that serves, and that the gate would no longer admit."""
    stages = [
        ("Production", model.production_version, model.production_refusal, f"mlops rollback --model {model.name}"),
        ("Staging", model.staging_version, model.staging_refusal, None),
    ]
    return [
        Finding(
            "model",
            "warn",
            f"{model.name} version {version} serves in {stage}, and the gate would no longer admit it: {refusal}",
            f"{rollback}, or promote another version" if rollback else "move another version to Staging",
        )
        for stage, version, refusal, rollback in stages
        if refusal is not None
    ]


def _start(url: str) -> str:
    if "//localhost" in url or "//127.0.0.1" in url:
        return "run make up in the platform's checkout; make status shows what is running"
    return "compare the address with the stack's output ApiUrl; operators: see docs/operations.md"
