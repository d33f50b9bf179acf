"""Models of CatBoost, alone or as the last step: by CatBoost's own exporter, without the ZipMap that it adds."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from mlops_conversion.errors import CannotConvert
from mlops_conversion.own.graph import Array, Graph, Kind, Wires

_ZIP_MAP = "ZipMap"


def is_catboost(model: Any) -> bool:
    """Return whether CatBoost made a model."""
    return type(model).__module__.partition(".")[0] == "catboost"


def write(graph: Graph, model: Any, wires: Wires) -> str:
    """Add a model, and return its answer, float32.

    Raises:
        CannotConvert: It has columns of categories or text, which CatBoost does not export.
    """
    if model.get_cat_feature_indices() or model.get_text_feature_indices():
        raise CannotConvert(
            "it has cat_features or text_features, which CatBoost does not export to ONNX; encode them before, for "
            "example with an OrdinalEncoder in a pipeline, or use LightGBM, which converts with categories"
        )
    exported = _exported(model)
    (source,) = exported.graph.input
    (name,) = graph.include(exported, {source.name: graph.cast(graph.joined(wires), Kind.FLOAT).name}).values()
    return name


def thresholds(model: Any) -> dict[int, Array]:
    """Return the numbers that the model compares each feature with."""
    return {place: np.array(borders, np.float64) for place, borders in model.get_borders().items() if borders}


def _exported(model: Any) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.save_model(str(path), format="onnx")
        exported = onnx.load(path)
    (trees,) = [node for node in exported.graph.node if node.op_type != _ZIP_MAP]
    answer = onnx.helper.make_tensor_value_info(trees.output[-1], Kind.FLOAT.value, None)
    graph = onnx.helper.make_graph([trees], "trees", exported.graph.input, [answer], exported.graph.initializer)
    return onnx.helper.make_model(graph, opset_imports=exported.opset_import)
