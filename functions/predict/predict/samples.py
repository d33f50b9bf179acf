"""Sample the inputs of a share of requests. Off unless SAMPLE_SHARE is set, so that inputs are not kept by default.

A sample is a log line, which prediction_log writes to S3, so that no request waits for storage. Rows of named columns
are not sampled: they say who somebody is, where a vector of numbers says little.
"""

import base64
from random import random
from typing import Any

import numpy as np

from mlops.domain.manifest import Manifest

MAX_BYTES = 120_000
"""CloudWatch Logs takes 256 kB per line."""


def line(manifest: Manifest, inputs: np.ndarray, predictions: list[int | str], share: float) -> dict[str, Any] | None:
    """Return the fields of the line for inputs float32 `[n, features]`; None if the request is not sampled.

    Pixels become bytes 0..255, other features little-endian float32. For a large batch the line has the first rows.
    `share` is the part of the requests that are sampled, 0 to 1.
    """
    if random() >= share:
        return None
    is_image = manifest.input is not None and manifest.input.image is not None
    values = np.rint(inputs * 255).astype("u1") if is_image else inputs.astype("<f4")
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
