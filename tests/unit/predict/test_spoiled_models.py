"""Files that accidents made of models: the gate admits or refuses each, in bounded time, and dies of none."""

import itertools
import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import helper

from mlops.domain.stages import Stage
from mlops.inference.model import ModelRefused
from mlops_contract import onnx_file
from mlops_contract.onnx_file import ModelFile
from promotion.examination import Limits, Placement, examine, examine_apart
from tests.support import onnx_models as models
from tests.support.fuzzing import JSON, budget, spoiled
from tests.support.serving import served

pytestmark = pytest.mark.fuzz

PLACEMENT = Placement("digit-classifier", 7, Stage.PRODUCTION, "run", {}, "tr_7")
LIMITS = Limits(memory_mb=1769, seconds=20)
FILES = [
    models.classifier().SerializeToString(),
    models.branching().SerializeToString(),
    models.endless().SerializeToString(),
    models.large(1000).SerializeToString(),
    served(features=4, image=None, classes=2).onnx,
]
FIELDS = ("labels", "image", "self_test", "reference", "other")


@budget(8)
@given(data=spoiled(FILES))
@example(data=FILES[0].replace(b"p", b"\xff"))
@example(data=FILES[0].replace(b"x", b"\xff"))
def test_the_gate_decides_on_any_file_in_bounded_time(data: bytes) -> None:
    began, reason = time.monotonic(), ""
    try:
        examined = examine_apart(ModelFile(data), PLACEMENT, LIMITS)
    except ModelRefused as refused:
        reason = str(refused)
    else:
        assert examined.manifest.size == len(data)
    assert len(reason.encode()) < 2000
    assert time.monotonic() - began < LIMITS.seconds + 10


@budget(300)
@given(data=spoiled(FILES) | st.binary())
@example(data=b"\x0b" * 100_000)
def test_what_a_file_holds_is_read_or_it_is_no_onnx(data: bytes) -> None:
    try:
        found = onnx_file.contents(data)
    except onnx_file.NotOnnx:
        return
    assert found.control_flow <= onnx_file.CONTROL_FLOW


@budget(25)
@given(metadata=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3) | JSON)
def test_any_metadata_is_admitted_or_refused(metadata: Any) -> None:
    made = models.classifier()
    # As an exporter in another language may write it: with halves of surrogate pairs escaped.
    helper.set_model_props(made, {"mlops": json.dumps(metadata)})
    try:
        manifest = examine(ModelFile(made.SerializeToString()), PLACEMENT, LIMITS).manifest
    except ModelRefused as refused:
        str(refused).encode()
    else:
        assert len(set(itertools.chain(manifest.labels))) == manifest.output.classes
