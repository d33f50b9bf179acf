"""Ask an ONNX model, as predict does."""

from collections.abc import Mapping

import numpy as np
import onnxruntime

BATCH_ROWS = 1000


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    """Load a model."""
    options = onnxruntime.SessionOptions()
    # As it is served: one prediction at a time, on one thread.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def answers(session: onnxruntime.InferenceSession, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the model's only output for whole inputs, float32 `[n, k]`, asked in batches."""
    (output,) = (entry.name for entry in session.get_outputs())
    rows = len(next(iter(feeds.values())))
    batches = [
        {name: values[start : start + BATCH_ROWS] for name, values in feeds.items()}
        for start in range(0, rows, BATCH_ROWS)
    ]
    return np.concatenate([session.run([output], batch)[0] for batch in batches])
