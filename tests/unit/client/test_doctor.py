"""What `mlops doctor` says about the models that there are."""

from types import SimpleNamespace
from typing import Any

import pytest

from mlops_client import doctor
from mlops_client.config import Login
from mlops_client.models import Dependency, Ready


def model(name: str, production: int | None = None, **refusals: str) -> SimpleNamespace:
    """A model in the list; with its detail's fields, too."""
    detail = {"staging_version": 3, "production_refusal": None, "staging_refusal": None} | refusals
    return SimpleNamespace(name=name, latest_version=3, production_version=production, **detail)


def client_of(models: list[Any]) -> Any:
    details = {each.name: each for each in models}
    return SimpleNamespace(models=lambda limit: models, model=lambda name, limit: details[name])


@pytest.mark.parametrize(
    ("models", "state", "words", "remedy"),
    [
        ([], "warn", "there is no model yet", "mlops train --watch"),
        ([model("iris")], "warn", "no model has a version in Production", "mlops promote 3 --model iris"),
        ([model("a"), model("iris", 2)], "ok", "iris version 2 is in Production", None),
    ],
)
def test_any_model_in_production_will_do(models: list[Any], state: str, words: str, remedy: str | None):
    (finding,) = doctor._models(client_of(models))
    assert (finding.state, finding.detail, finding.remedy) == (state, words, remedy)


def test_each_version_that_the_gate_would_no_longer_admit_is_a_warning_with_a_remedy():
    models = [model(f"m{number}", 1) for number in range(9)]
    models += [model("regressor", 2, production_refusal="one number"), model("logits", 1, staging_refusal="no softmax")]
    findings = doctor._models(client_of(models))
    warnings = [(finding.detail, finding.remedy) for finding in findings if finding.state == "warn"]
    assert warnings == [
        (
            "regressor version 2 serves in Production, and the gate would no longer admit it: one number",
            "mlops rollback --model regressor, or promote another version",
        ),
        (
            "logits version 3 serves in Staging, and the gate would no longer admit it: no softmax",
            "move another version to Staging",
        ),
    ]
    assert not any("regressor version 2 is in Production" in finding.detail for finding in findings)


def test_a_warning_of_a_check_that_passes_is_a_warning():
    checks = {
        "s3": Dependency(ok=True, detail="the manifest is 3 s old", warning="the gate would no longer admit it"),
        "tracking": Dependency(ok=True, detail="MLflow answers"),
        "dynamodb": Dependency(ok=False, detail="the jobs table does not answer", warning="more"),
    }
    client: Any = SimpleNamespace(ready=lambda: Ready(status="degraded", dependencies=checks))
    findings = doctor._dependencies(client, Login("http://127.0.0.1:8000", "key", "here"))
    assert [(finding.state, finding.detail) for finding in findings] == [
        ("warn", "the gate would no longer admit it"),
        ("ok", "MLflow answers"),
        ("fail", "the jobs table does not answer"),
    ]
