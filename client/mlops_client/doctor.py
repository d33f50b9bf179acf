"""Checks everything that a prediction needs, from the login to the model, and says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlops_client.client import DEFAULT_MODEL, Client
from mlops_client.config import Login, config_file, others_may_read, read_login
from mlops_client.errors import ApiError, Forbidden, MlopsError, NotFound, NotSignedIn, Unreachable


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
        findings.append(Finding("api", "ok", f"{login.url} answers, version {client.health().version}"))
    except (Unreachable, NotSignedIn, ApiError) as error:
        return [*findings, Finding("api", "fail", str(error), _start(login.url))]
    findings += _dependencies(client, login)
    try:
        findings += _jobs(client) + _models(client)
    except Forbidden as error:
        if "role" in error.detail:
            findings.append(Finding("key", "warn", str(error), "ask an operator for a key with the role read or admin"))
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


def _dependencies(client: Client, login: Login) -> list[Finding]:
    try:
        ready = client.ready()
    except MlopsError as error:
        return [Finding("ready", "fail", str(error), _start(login.url))]
    return [
        Finding(name, "ok" if service.ok else "fail", service.detail, None if service.ok else _start(login.url))
        for name, service in ready.dependencies.items()
    ]


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
    try:
        model = client.model(DEFAULT_MODEL)
    except NotFound:
        return [Finding("model", "warn", f"there is no model {DEFAULT_MODEL!r} yet", "mlops train --watch")]
    if model.production_version is None:
        newest = model.versions[0].version if model.versions else 1
        return [Finding("model", "warn", f"no version of {model.name} is in Production", f"mlops promote {newest}")]
    return [Finding("model", "ok", f"{model.name} version {model.production_version} is in Production")]


def _start(url: str) -> str:
    if "//localhost" in url or "//127.0.0.1" in url:
        return "run make up in the platform's checkout; make status shows what is running"
    return "compare the address with the stack's output ApiUrl; operators: see docs/operations.md"
