"""Open an ONNX file as an onnxruntime session, with what predict allows."""

import onnxruntime

from mlops_contract import onnx_file
from mlops_contract.onnx_file import ModelFile

SUM_TOLERANCE = 1e-3
"""How much the sum of a row's probabilities may differ from 1, and one of them exceed 1, because of rounding."""


class ModelRefused(Exception):
    """The file cannot be served. The message says why, and may be logged."""


def open_session(file: ModelFile, *, control_flow: bool = True) -> onnxruntime.InferenceSession:
    """Load an ONNX file.

    Args:
        file: The file.
        control_flow: Whether the operators If, Loop and Scan are allowed.

    Raises:
        ModelRefused: The file is not ONNX, has external data, uses a forbidden operator, or onnxruntime cannot load it.
    """
    try:
        contents = onnx_file.contents(file.view())
    except onnx_file.NotOnnx as error:
        raise ModelRefused(f"the file is not ONNX: {error}") from error
    if contents.external_data:
        raise ModelRefused(
            "the file has tensors in other files (external data); log it as one file: "
            "mlflow.onnx.log_model(…, save_as_external_data=False)"
        )
    if contents.control_flow and not control_flow:
        raise ModelRefused(
            f"it uses {', '.join(sorted(contents.control_flow))}, whose time depends on the input; export it without "
            "control flow, or set the parameter AllowControlFlow to true"
        )
    try:
        # Without the fallback, which is a second try on the same processor, announced on the standard output.
        return onnxruntime.InferenceSession(
            file.path, _options(), providers=["CPUExecutionProvider"], enable_fallback=False
        )
    except Exception as error:  # onnxruntime raises a dozen unrelated types
        raise ModelRefused(
            f"onnxruntime {onnxruntime.__version__} does not load the file ({brief(error)}); export it again for this "
            "version, with a lower opset (target_opset, opset_version) or other operators"
        ) from error


def brief(error: Exception) -> str:
    """Return the type of an error and the first line of its message: onnxruntime's may have hundreds."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # One request at a time on a fraction of a processor: more threads would only wait for each other.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The arena never releases memory, so one batch of 100 or one change of model would keep its memory.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return options
