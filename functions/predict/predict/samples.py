"""Inputs themselves, of a share of requests: off unless SAMPLE_SHARE says otherwise, as nobody's input is kept unasked.

They go out as one more log line, which prediction_log takes to S3: no request waits for storage.
"""

import base64
import os
from typing import Any

import numpy as np

from mlops.domain.manifest import Manifest

SHARE = float(os.environ.get("SAMPLE_SHARE", "0"))
MAX_BYTES = 120_000
"""Of a line CloudWatch Logs takes 256 kB."""


def line(manifest: Manifest, inputs: np.ndarray, predictions: list[int | str]) -> dict[str, Any] | None:
    """Fields of the line for float32 `[n, features]`; None for the requests that are not in the sample.

    Pixels are kept as bytes 0..255, other features as little-endian float32; of a large batch its first rows.
    """
    from random import random  # not at import, which every cold start would pay for

    if random() >= SHARE:
        return None
    values = np.rint(inputs * 255).astype("u1") if manifest.input.image else inputs.astype("<f4")
    rows = max(1, min(len(values), MAX_BYTES // max(1, values[0].nbytes)))
    kept = values[:rows].tobytes()
    if len(kept) > MAX_BYTES:
        return None
    return {
        "kind": "sample",
        "model_name": manifest.model_name,
        "model_version": manifest.model_version,
        "stage": manifest.stage,
        "n": rows,
        "features": int(values.shape[1]),
        "dtype": str(values.dtype),
        "inputs": base64.b64encode(kept).decode(),
        "predictions": predictions[:rows],
    }
