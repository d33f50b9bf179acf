"""What predict is compared with: the same model and the same requests, answered as others answer them, in process.

Each peer is a function from API Gateway's event to the response's body.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel

from benchmarks import direct
from mlops.domain.names import DEFAULT_MODEL_NAME


def floor(onnx: bytes, *others: bytes) -> direct.Peer:
    """No less can be done: decode with orjson, make an array, run the session, encode the same answer with orjson.

    `others` are models that are asked too, and whose answers go nowhere.
    """
    session, shadows = direct.session_of(onnx), [direct.session_of(other) for other in others]

    def answer(event: direct.Event) -> bytes:
        pixels = np.array(orjson.loads(event["body"])["image"], dtype=np.float32).reshape(1, -1)
        for shadow in shadows:
            shadow.run(["probabilities"], {"inputs": pixels})
        probabilities = session.run(["probabilities"], {"inputs": pixels})[0][0]
        best = int(probabilities.argmax())
        return orjson.dumps(
            {
                "prediction": best,
                "confidence": float(probabilities[best]),
                "probabilities": probabilities.tolist(),
                "model_name": DEFAULT_MODEL_NAME,
                "model_version": 1,
                "model_stage": "Production",
            }
        )

    return answer


class Body(BaseModel):
    image: list[float]


class Answer(BaseModel):
    prediction: int
    confidence: float
    probabilities: list[float]


def fastapi_app(onnx: bytes, *, on_the_loop: bool) -> FastAPI:
    """A plain FastAPI application. What computes is a plain function there, which FastAPI runs in a thread;
    `on_the_loop` makes it a coroutine, which saves the hop to the thread and blocks every other request meanwhile."""
    session = direct.session_of(onnx)
    app = FastAPI()

    def predict(body: Body) -> Answer:
        probabilities = session.run(["probabilities"], {"inputs": np.array([body.image], np.float32)})[0][0]
        best = int(probabilities.argmax())
        return Answer(prediction=best, confidence=float(probabilities[best]), probabilities=probabilities.tolist())

    async def predict_on_the_loop(body: Body) -> Answer:
        return predict(body)

    app.post("/predict", response_model=Answer)(predict_on_the_loop if on_the_loop else predict)
    return app


def fastapi(onnx: bytes) -> direct.Peer:
    """The FastAPI application alone, called as an ASGI server calls it."""
    return asgi(fastapi_app(onnx, on_the_loop=False), "/predict", lambda body: body.encode())


def fastapi_mangum(onnx: bytes, *, on_the_loop: bool = False) -> direct.Peer:
    """The FastAPI application as a Lambda function behind API Gateway."""
    handler = Mangum(fastapi_app(onnx, on_the_loop=on_the_loop), lifespan="off")

    def answer(event: direct.Event) -> bytes:
        response = handler(event, None)
        assert response["statusCode"] == 200, response["body"]
        text: str = response["body"]
        return text.encode()

    return answer


def fastapi_mangum_async(onnx: bytes) -> direct.Peer:
    """The same with the model run on the event loop."""
    return fastapi_mangum(onnx, on_the_loop=True)


def mlflow(onnx: bytes) -> direct.Peer:
    """MLflow's own scoring server, what `mlflow models serve` runs, without the HTTP server in front of it."""
    import mlflow.onnx
    import mlflow.pyfunc
    import onnx as onnx_package
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import scoring_server
    from mlflow.types import Schema, TensorSpec

    signature = ModelSignature(
        Schema([TensorSpec(np.dtype(np.float32), (-1, 784), "inputs")]),
        Schema([TensorSpec(np.dtype(np.float32), (-1, 10), "probabilities")]),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        mlflow.onnx.save_model(
            onnx_package.load_from_string(onnx),
            path,
            signature=signature,
            save_as_external_data=False,
            onnx_session_options={"execution_mode": "sequential", "intra_op_num_threads": 1, "inter_op_num_threads": 1},
        )
        app = scoring_server.init(mlflow.pyfunc.load_model(path))
    return asgi(
        app, "/invocations", lambda body: b'{"inputs": {"inputs": [' + body[len('{"image": ') : -1].encode() + b"]}}"
    )


def asgi(app: Any, path: str, encode: Callable[[str], bytes]) -> direct.Peer:
    """Calls an ASGI application with as little around it as can be."""
    loop = asyncio.new_event_loop()

    async def call(body: bytes) -> bytes:
        parts: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            parts.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await app(scope, receive, send)
        answer: bytes = b"".join(part.get("body", b"") for part in parts)
        assert parts[0]["status"] == 200, answer
        return answer

    return lambda event: loop.run_until_complete(call(encode(event["body"])))


def cpu_us(calls: Mapping[str, direct.Peer], bodies: Callable[[int], Sequence[str]], rounds: int) -> dict[str, float]:
    """Return each call's CPU time per request in microseconds; all threads of a call are counted.

    The lower quartile of many short rounds, in turn: what else runs on the machine evicts caches, and that only ever
    adds. Each round has other bodies, so that an answer is never one that was kept: `bodies` makes them for a seed.
    """
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        for at, (name, call) in enumerate(calls.items()):
            events = [direct.event("/predict", body) for body in bodies(10_000 + number * len(calls) + at)]
            began = time.process_time()
            for each in events:
                call(each)
            cpu[name].append((time.process_time() - began) / len(events))
    return {name: float(np.percentile(values, 25)) * 1e6 for name, values in cpu.items()}


def agree(answers: dict[str, bytes]) -> None:
    """All say the same digit with the same certainty, or the comparison means nothing."""
    found = {}
    for name, answer in answers.items():
        document = json.loads(answer)
        if name == "mlflow":
            predictions = document["predictions"]
            probabilities = (predictions["probabilities"] if isinstance(predictions, dict) else predictions)[0]
        else:
            probabilities = document["probabilities"]
        found[name] = np.array(probabilities)
    for name, probabilities in found.items():
        np.testing.assert_allclose(probabilities, found["floor"], atol=1e-5, err_msg=name)
