"""The limits of the integrity checks, each at its edge, and their defaults, which are the template's."""

from dataclasses import asdict
from typing import Any

from infra.local.packaging import read_template
from infra.local.settings import ROOT
from mlops.domain.stages import Stage
from mlops_contract.onnx_file import ModelFile
from promotion.examination import Limits, Placement, examine
from promotion.gate import GateSettings, check_integrity
from tests.unit.registry.fakes import ONNX


def integrity(data: bytes = ONNX, **limits: Any) -> dict[str, bool]:
    settings = GateSettings(**{"max_latency_ms": 1e6, **limits})
    placement = Placement("m", 1, Stage.PRODUCTION, "run", {}, "tr_1")
    bounds = Limits(settings.predict_memory_mb, settings.allow_control_flow)
    results = check_integrity(
        ModelFile(data), None, lambda: examine(ModelFile(data), placement, bounds), settings
    ).results
    return {result.check: result.passed for result in results}


def test_a_file_may_be_as_large_as_the_limit_and_no_larger():
    assert integrity(max_model_bytes=len(ONNX))["size"] is True
    assert integrity(max_model_bytes=len(ONNX) - 1) == {"size": False, "sha256": True}


def test_a_model_slower_than_the_limit_is_stopped():
    assert integrity()["latency"] is True
    assert integrity(max_latency_ms=0.0)["latency"] is False


def test_each_limit_is_a_parameter_with_its_default_and_a_range():
    template = read_template(ROOT / "template.yaml")
    function = template["Resources"]["PromotionFunction"]["Properties"]
    variables = function["Environment"]["Variables"]
    defaults = asdict(GateSettings())
    # What predict has is no setting of the gate: the template writes it once, for both functions.
    predict = template["Resources"]["PredictFunction"]["Properties"]["MemorySize"]
    assert predict == function["MemorySize"] == int(variables["PREDICT_MEMORY_MB"]) == defaults.pop("predict_memory_mb")
    for name, default in defaults.items():
        parameter = template["Parameters"][variables[name.upper()]["Ref"]]
        if isinstance(default, bool):
            assert (parameter["Default"], parameter["AllowedValues"]) == (str(default).lower(), ["true", "false"]), name
            continue
        assert parameter["Default"] == default, name
        assert parameter["MinValue"] <= default <= parameter["MaxValue"], name
