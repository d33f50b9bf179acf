"""What `mlops doctor` says about the models that there are."""

from types import SimpleNamespace
from typing import Any

import pytest

from mlops_client import doctor


def model(name: str, production: int | None = None) -> SimpleNamespace:
    return SimpleNamespace(name=name, latest_version=3, production_version=production)


@pytest.mark.parametrize(
    ("models", "state", "words", "remedy"),
    [
        ([], "warn", "there is no model yet", "mlops train --watch"),
        ([model("iris")], "warn", "no model has a version in Production", "mlops promote 3 --model iris"),
        ([model("a"), model("iris", 2)], "ok", "iris version 2 is in Production", None),
    ],
)
def test_any_model_in_production_will_do(models: list[Any], state: str, words: str, remedy: str | None):
    client: Any = SimpleNamespace(models=lambda limit: models)
    (finding,) = doctor._models(client)
    assert (finding.state, finding.detail, finding.remedy) == (state, words, remedy)
