"""The limits of the integrity checks, each at its edge, and their defaults, which are the template's."""

from dataclasses import asdict
from typing import Any

from infra.local.packaging import read_template
from infra.local.settings import ROOT
from promotion.gate import GateSettings, check_integrity
from promotion.serving_store import ModelFile
from tests.unit.registry.fakes import ONNX


def integrity(**limits: Any) -> dict[str, bool]:
    results = check_integrity(ModelFile(ONNX), None, GateSettings(**{"max_latency_ms": 1e6, **limits}))
    return {result.check: result.passed for result in results}


def test_a_file_may_be_as_large_as_the_limit_and_no_larger():
    assert integrity(max_model_bytes=len(ONNX))["size"] is True
    assert integrity(max_model_bytes=len(ONNX) - 1) == {"size": False, "sha256": True}


def test_a_model_slower_than_the_limit_is_stopped():
    assert integrity()["latency"] is True
    assert integrity(max_latency_ms=0.0)["latency"] is False


def test_each_limit_is_a_parameter_with_its_default_and_a_range():
    template = read_template(ROOT / "template.yaml")
    variables = template["Resources"]["PromotionFunction"]["Properties"]["Environment"]["Variables"]
    for name, default in asdict(GateSettings()).items():
        parameter = template["Parameters"][variables[name.upper()]["Ref"]]
        assert parameter["Default"] == default, name
        assert parameter["MinValue"] <= default <= parameter["MaxValue"], name
