"""What has no writer of our own: skl2onnx converts it, alone, and its nodes are put into the graph."""

import warnings
from collections.abc import Mapping
from typing import Any

import onnx
import onnxruntime

from mlops_conversion.errors import CannotConvert
from mlops_conversion.own.graph import ML, OPSET, Graph, Kind, Wire

ML_OPSET = 3
_SHOWN = 200


def converted(
    graph: Graph, step: Any, wire: Wire, kind: Kind, options: Mapping[str, Any] | None = None
) -> dict[str, Wire]:
    """Add a fitted step to the graph by skl2onnx, and return its outputs by their names.

    Args:
        graph: What it is added to.
        step: An estimator of scikit-learn.
        wire: What it gets.
        kind: The elements that it is converted for.
        options: Those of skl2onnx.

    Raises:
        CannotConvert: skl2onnx cannot, or onnxruntime does not load what it gives.
    """
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common import data_types
    except ImportError:
        raise CannotConvert("it needs skl2onnx: pip install 'mlops-client[convert]'") from None
    types = {
        Kind.TEXT: data_types.StringTensorType,
        Kind.DOUBLE: data_types.DoubleTensorType,
        Kind.FLOAT: data_types.FloatTensorType,
    }
    wire = wire if kind is Kind.TEXT else graph.cast(wire, kind)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = convert_sklearn(
                step,
                initial_types=[("X", types[kind]([None, wire.width]))],
                options={id(step): dict(options)} if options else None,
                target_opset={"": OPSET, ML: ML_OPSET},
            )
        onnxruntime.InferenceSession(model.SerializeToString(), _quiet(), providers=["CPUExecutionProvider"])
    except Exception as error:  # skl2onnx raises a dozen unrelated types, with whole graphs in their messages
        raise CannotConvert(f"skl2onnx does not convert it ({_reason(error)})") from error
    names = graph.include(model, {"X": wire.name})
    return {output.name: _wire(graph, names[output.name], output) for output in model.graph.output}


def _quiet() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what does not load is a result here
    return options


def _wire(graph: Graph, name: str, output: onnx.ValueInfoProto) -> Wire:
    """Return an output as a wire of numbers."""
    kind, sizes = output.type.tensor_type.elem_type, output.type.tensor_type.shape.dim
    width = sizes[1].dim_value if len(sizes) == 2 else 1
    if kind in (Kind.DOUBLE.value, Kind.FLOAT.value, Kind.TEXT.value):
        return Wire(name, Kind(kind), width)
    return Wire(graph.add("Cast", name, to=Kind.FLOAT.value), Kind.FLOAT, width)


def _reason(error: Exception) -> str:
    text = " ".join(str(error.__cause__ or error).split())
    return f"{type(error).__name__}: {text[:_SHOWN]}"
