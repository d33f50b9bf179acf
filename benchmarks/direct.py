"""How the handler and what it is compared with are called. It imports little, so that a process has little else."""

import contextlib
import itertools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnxruntime

Event = dict[str, Any]
Peer = Callable[[Event], bytes]

PIXELS = 784
_IDS = itertools.count()
_EVENT: Event = {
    "httpMethod": "POST",
    "headers": {"content-type": "application/json", "host": "localhost"},
    "multiValueHeaders": {"content-type": ["application/json"], "host": ["localhost"]},
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "isBase64Encoded": False,
}


def event(path: str, body: str) -> Event:
    """An event of API Gateway's REST proxy integration, with an id of its own."""
    context = {"requestId": f"00000000-0000-4000-8000-{next(_IDS):012}", "identity": {"apiKeyId": "key"}}
    return {**_EVENT, "resource": path, "path": path, "requestContext": context, "body": body}


def bodies(count: int, *, kind: str = "decimals", seed: int = 0) -> list[str]:
    """Requests that are all different, so that no answer is a kept one: 6.2 kB each, or 2.9 kB as bytes."""
    random = np.random.default_rng(seed)
    if kind == "bytes":
        images = random.integers(0, 256, (count, PIXELS))
        return [json.dumps({"image": image.tolist(), "scale": 255}) for image in images]
    return [json.dumps({"image": image.tolist()}) for image in random.random((count, PIXELS)).round(4)]


def session_of(onnx: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The handler's log lines are written, as they are in Lambda, but to nowhere."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
