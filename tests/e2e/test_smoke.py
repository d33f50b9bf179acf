"""The smoke test of a deployment holds on the local stack, before and after there is a model."""

from typing import Any

from infra.deploy.smoke import Smoke


def test_smoke(stack: Any, production_model: Any) -> None:
    said: list[str] = []
    Smoke(stack.api_url, stack.api_key, said.append).run()
    assert any("/predict  422" in line for line in said)
