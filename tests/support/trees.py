"""Rows for models of trees, and the answers of the ONNX models made from them."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime

from mlops_conversion.trees import thresholds

FEATURES = 5


def answers(model: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    """What onnxruntime answers."""
    return session(model.SerializeToString()).run(None, {"inputs": np.asarray(inputs, np.float32)})[0]


@functools.lru_cache(maxsize=4)
def session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def numbers(rows: int = 400, missing: float = 0.0, seed: int = 0) -> np.ndarray:
    """Float32 rows, of which a share of the values is missing. The last feature has few distinct values."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(rows, FEATURES)).astype(np.float32)
    inputs[:, -1] = random.integers(0, 6, rows)
    inputs[random.random(inputs.shape) < missing] = np.nan
    return inputs


def classes(inputs: np.ndarray, count: int) -> np.ndarray:
    """A class a row, which depends on the features, and on which of them are missing."""
    score = np.nan_to_num(inputs[:, 0], nan=1.5) + inputs[:, -1] % 2 - np.nan_to_num(inputs[:, 1], nan=-1.0)
    score = np.nan_to_num(score, nan=2.0) + np.random.default_rng(1).normal(0, 0.3, len(inputs))
    return np.digitize(score, np.quantile(score, np.linspace(0, 1, count + 1)[1:-1]))


def quantity(inputs: np.ndarray) -> np.ndarray:
    """A number a row, of a size and spread as prices have, which depends on the features likewise."""
    score = np.nan_to_num(inputs[:, 0] * 2, nan=4.0) + np.nan_to_num(inputs[:, -1], nan=-2.0)
    return 250_000 + 20_000 * (score + np.random.default_rng(2).normal(0, 0.2, len(inputs)))


def asked(model: Any, inputs: np.ndarray, limit: int = 300) -> dict[str, np.ndarray]:
    """The rows that an exact conversion must answer: ordinary, missing, extreme, at thresholds and an ulp beside."""
    ordinary = np.nan_to_num(inputs, nan=0.5)
    missing = [inputs, np.full((1, inputs.shape[1]), np.nan, np.float32)]
    for feature in range(inputs.shape[1]):
        missing.append(ordinary[:20].copy())
        missing[-1][:, feature] = np.nan
    extreme = np.repeat(ordinary[:5], 4, axis=0)
    extreme[:, 0] = np.tile(np.array([1e30, -1e30, 0.0, -0.0], np.float32), 5)
    return {
        "ordinary": ordinary,
        "missing": np.concatenate(missing),
        "extreme": extreme,
        "thresholds": at_thresholds(ordinary, thresholds(model, inputs.shape[1]), limit),
    }


def at_thresholds(inputs: np.ndarray, values: Mapping[int, np.ndarray], limit: int) -> np.ndarray:
    rows = []
    for feature, all_values in values.items():
        some = all_values[:: max(1, len(all_values) // limit)]
        beside = [np.nextafter(some, np.float32(end)) for end in (-np.inf, np.inf)]
        changed = np.resize(inputs, (3 * len(some), inputs.shape[1]))
        changed[:, feature] = np.concatenate([some, *beside])
        rows.append(changed)
    return np.concatenate(rows)
