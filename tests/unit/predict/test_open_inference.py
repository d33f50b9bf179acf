"""The Open Inference Protocol: metadata, readiness, answers and errors; and Triton's own client against the handler."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from mlops.api.schemas import open_inference as v2
from mlops_contract import Task
from tests.support.serving import served
from tests.support.table_models import LABELS, ROW, served_table
from tests.unit.predict.conftest import Predict, proxy_event

CHURN, PRICE = "churn", "price"
MODEL = "/v2/models/{name}"
VERSION = f"{MODEL}/versions/{{version}}"
DATATYPES = {
    "age": "FP64", "job": "BYTES", "visits": "INT64", "member": "BOOL", "since": "BYTES", "plan": "BYTES",
    "note": "BYTES",
}  # fmt: skip


@pytest.fixture
def predict(store: Any, start: Any) -> Predict:
    store.promote(served_table(3))
    store.promote(served_table(4, stage="Staging"))
    store.promote(served_table(5, model_name=PRICE, task=Task.REGRESSION))
    store.promote(served(1, model_name="vector", features=3, image=None, classes=3))
    store.promote(served(1, model_name="image", features=4, image=(2, 2), classes=3, labels=("a", "b", 3)))
    return start()


def tensors(rows: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    """The rows as one tensor for each column; `changes` are values of single fields, such as age_shape."""
    made = []
    for name, datatype in DATATYPES.items():
        tensor = {
            "name": name,
            "shape": [len(rows), 1],
            "datatype": datatype,
            "data": [row[name] for row in rows],
        }
        made.append({field: changes.get(f"{name}_{field}", value) for field, value in tensor.items()})
    return made


def infer(predict: Predict, name: str, body: Any, **event: Any) -> Any:
    return predict.post(f"{MODEL}/infer", {"name": name}, body, **event)


def outputs(answer: Any) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    v2.InferResponse.model_validate_json(answer.text, strict=True)
    return {output["name"]: output for output in answer.json["outputs"]}


def test_the_answers_are_those_of_the_batch_route(predict: Predict) -> None:
    rows = [ROW, ROW | {"age": None, "job": None}, ROW | {"plan": "basic", "note": None}]
    batch = predict.call({"rows": rows, "model_name": CHURN}, "/predict/batch").json
    answer = infer(predict, CHURN, {"id": "seven", "inputs": tensors(rows)})
    assert {name: answer.json[name] for name in ("model_name", "model_version", "id")} == {
        "model_name": CHURN,
        "model_version": "3",
        "id": "seven",
    }
    found = outputs(answer)
    assert found["prediction"] == {
        "name": "prediction",
        "datatype": "BYTES",
        "shape": [3, 1],
        "data": batch["predictions"],
    }
    probabilities = np.array(found["probabilities"]["data"]).reshape(found["probabilities"]["shape"])
    assert probabilities.max(axis=1).tolist() == pytest.approx(batch["confidences"])
    quantity = predict.call({"rows": rows, "model_name": PRICE}, "/predict/batch").json
    found = outputs(infer(predict, PRICE, {"inputs": tensors(rows)}))
    assert [*found] == ["prediction"]
    assert found["prediction"]["datatype"] == "FP32"
    assert found["prediction"]["data"] == quantity["predictions"]


def test_outputs_can_be_chosen_and_parameters_change_nothing(predict: Predict) -> None:
    body = {
        "inputs": tensors([ROW]),
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
        "parameters": {"binary_data_output": True},
    }
    assert [*outputs(infer(predict, CHURN, body))] == ["probabilities"]


def test_images_and_vectors_are_one_tensor(predict: Predict) -> None:
    vectors = [[1, 2.5, -3], [0, 0, 1]]
    batch = predict.call({"inputs_list": vectors, "model_name": "vector"}, "/predict/batch").json
    for data in (vectors, [1, 2.5, -3, 0, 0, 1]):
        tensor = {"name": "inputs", "shape": [2, 3], "datatype": "FP32", "data": data}
        found = outputs(infer(predict, "vector", {"inputs": [tensor]}))
        assert (found["prediction"]["datatype"], found["prediction"]["data"]) == ("INT64", batch["predictions"])
    image = [[[0, 1], [0.5, 0.25]]]
    batch = predict.call({"images": image, "model_name": "image"}, "/predict/batch").json
    tensor = {"name": "inputs", "shape": [1, 2, 2], "datatype": "FP32", "data": image}
    found = outputs(infer(predict, "image", {"inputs": [tensor]}))
    assert found["prediction"]["data"] == [str(batch["predictions"][0])], "labels of two types are text"


def test_the_metadata_has_each_column(predict: Predict) -> None:
    answer = predict.get(MODEL, {"name": CHURN})
    v2.ModelMetadata.model_validate_json(answer.text, strict=True)
    assert {tensor["name"]: tensor["datatype"] for tensor in answer.json["inputs"]} == DATATYPES
    assert answer.json["outputs"] == [
        {"name": "prediction", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(LABELS)]},
    ]
    assert answer.json["versions"] == ["3"]
    assert predict.get(VERSION, {"name": CHURN, "version": "4"}).json["versions"] == ["4"]
    (tensor,) = predict.get(MODEL, {"name": "vector"}).json["inputs"]
    assert tensor == {"name": "inputs", "datatype": "FP32", "shape": [-1, 3]}


def test_server_and_models_say_whether_they_are_ready(predict: Predict) -> None:
    assert predict.get("/v2/health/live", {}).json == {"live": True}
    assert predict.get("/v2/health/ready", {}).json == {"ready": True}
    assert predict.get("/v2", {}).json["name"] == "mlops"
    assert predict.get(f"{MODEL}/ready", {"name": CHURN}).json == {"name": CHURN, "ready": True}
    assert predict.get(f"{MODEL}/ready", {"name": "nothing"}).status == 409
    assert predict.get(f"{VERSION}/ready", {"name": CHURN, "version": "4"}).status == 200
    assert predict.get(f"{VERSION}/ready", {"name": CHURN, "version": "5"}).status == 409


def test_without_a_store_it_is_alive_and_not_ready(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    predict = start()
    assert predict.get("/v2/health/live", {}).status == 200
    answer = predict.get("/v2/health/ready", {})
    assert (answer.status, answer.json["error"]) == (503, answer.json["detail"])


def test_a_version_that_serves_is_asked_by_its_path(predict: Predict) -> None:
    body = {"inputs": tensors([ROW])}
    answer = predict.post(f"{VERSION}/infer", {"name": CHURN, "version": "4"}, body)
    assert answer.json["model_version"] == "4"
    answer = predict.post(f"{VERSION}/infer", {"name": CHURN, "version": "5"}, body)
    assert (answer.status, answer.json["code"]) == (409, "version_not_served")


def vector(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "inputs", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3], **changes}]}


WRONG = [
    (CHURN, {}, "inputs", "must be a list that is not empty"),
    (CHURN, {"inputs": []}, "inputs", "must be a list that is not empty"),
    (CHURN, {"inputs": tensors([ROW]), "rows": []}, "rows", "is not a field"),
    (CHURN, {"inputs": tensors([ROW]), "id": 7}, "id", "must be text"),
    (CHURN, {"inputs": [5]}, "inputs.0", "must be an object"),
    (CHURN, {"inputs": [{"name": 5}]}, "inputs.0", "must be an object"),
    (CHURN, {"inputs": tensors([ROW]) * 2}, "inputs.7", "the same name"),
    (CHURN, {"inputs": [{"name": "age", "parameters": {"binary_data_size": 8}}]}, "inputs.0", "binary_data=False"),
    (CHURN, {"inputs": tensors([ROW]), "outputs": [{"name": "label"}]}, "outputs.0", "prediction, probabilities"),
    (CHURN, {"inputs": tensors([ROW]), "outputs": []}, "outputs", "not empty"),
    (PRICE, {"inputs": tensors([ROW]), "outputs": [{"name": "probabilities"}]}, "outputs.0", "one of prediction"),
    (CHURN, {"inputs": tensors([ROW], age_shape=[2, 1])}, "inputs.age.shape", "must be [n, 1] or [n]"),
    (CHURN, {"inputs": tensors([ROW], age_shape=[1, 1, 1, 1])}, "inputs.age.shape", "1 to 3 whole numbers"),
    (CHURN, {"inputs": tensors([ROW], age_shape=[-1])}, "inputs.age.shape", "1 to 3 whole numbers"),
    (CHURN, {"inputs": tensors([ROW], age_datatype="BOOL")}, "inputs.age.datatype", "FP64"),
    (CHURN, {"inputs": tensors([ROW], job_datatype="FP32")}, "inputs.job.datatype", "must be one of BYTES"),
    (CHURN, {"inputs": tensors([ROW], age_data=None)}, "inputs.age.data", "must be a list"),
    (CHURN, {"inputs": tensors([ROW], age_data=[1, 2], age_shape=[2])}, "inputs.job", "has 1 values"),
    (CHURN, {"inputs": tensors([ROW] * 1001)}, "inputs", "has 1001 rows"),
    (CHURN, {"inputs": tensors([ROW])[1:]}, "inputs.age.0", "is missing"),
    (CHURN, {"inputs": [*tensors([ROW]), {"name": "x", "shape": [1], "data": [1]}]}, "inputs.x.0", "is not a column"),
    (CHURN, {"inputs": tensors([ROW], plan_data=["silver"])}, "inputs.plan.0", "must be one of 'basic', 'gold'"),
    (CHURN, {"inputs": tensors([ROW], plan_data=[None])}, "inputs.plan.0", "must not be null"),
    (CHURN, {"inputs": tensors([ROW, ROW], age_data=[1, "2"])}, "inputs.age.1", "must be a number, not a string"),
    (CHURN, {"inputs": tensors([ROW], visits_data=[2**24 + 1])}, "inputs.visits.0", "16777216"),
    ("vector", vector(name="x"), "inputs", "one tensor with the name 'inputs'"),
    ("vector", vector(datatype="BYTES"), "inputs.inputs.datatype", "FP32"),
    ("vector", vector(shape=[2, 3]), "inputs.inputs.shape", "must be [n, 3]"),
    ("vector", vector(shape=[3]), "inputs.inputs.shape", "must be [n, 3]"),
    ("vector", vector(shape=[0, 3], data=[]), "inputs.inputs.data", "not empty"),
    ("vector", vector(shape=[101, 3], data=[0] * 303), "inputs.inputs", "has 101 inputs"),
    ("vector", vector(data=[1, None, 3]), "inputs.inputs.data.1", "must be a number, not null"),
    ("vector", vector(data=[1, 1e39, 3]), "inputs.inputs", "float32"),
    ("vector", vector(data=[1, 10**400, 3]), "body", "must be one JSON object"),
    ("image", vector(shape=[1, 4], data=[0, 1, 2, 0]), "inputs.inputs.0.2", "this protocol has no scale"),
    (CHURN, '{"inputs": [], "inputs": []}', "body", "the same name twice"),
    (CHURN, "[]", "body", "must be a JSON object"),
]


@pytest.mark.parametrize(("name", "body", "field", "says"), WRONG, ids=str)
def test_a_wrong_request_is_422_with_the_fields_and_the_protocols_error(
    predict: Predict, name: str, body: Any, field: str, says: str
) -> None:
    answer = infer(predict, name, body)
    assert answer.status == 422, answer.text
    named = {error["field"]: error["message"] for error in answer.json["errors"]}
    assert says in named.get(field, ""), named
    assert answer.json["error"] == answer.json["detail"]


@pytest.fixture
def address(predict: Predict) -> Iterator[str]:
    """The handler behind HTTP, with a stage before the path as API Gateway has."""

    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.removeprefix("/prod")
            found = re.fullmatch(r"/v2/models/(?P<name>[^/]+)(?:/versions/(?P<version>[^/]+))?(?P<rest>/\w+)?", path)
            parameters = {name: value for name, value in (found.groupdict() if found else {}).items() if value}
            rest = parameters.pop("rest", "")
            resource = f"{VERSION if 'version' in parameters else MODEL}{rest}" if found else path
            event = proxy_event(body.decode("latin-1"), resource, self.command)
            event |= {"path": path, "pathParameters": parameters, "headers": dict(self.headers)}
            answer = predict.app.handler(event, None)
            content = answer["body"].encode()
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}/prod"
    server.shutdown()
    server.server_close()


class TestTritonsClient:
    """tritonclient, from PyPI, as its users call it."""

    @pytest.fixture
    def client(self, address: str) -> Any:
        from tritonclient.http import InferenceServerClient

        with InferenceServerClient(address) as client:
            yield client

    def inputs(self, rows: list[dict[str, Any]], *, binary: bool = False) -> list[Any]:
        from tritonclient.http import InferInput
        from tritonclient.utils import triton_to_np_dtype

        made = []
        for tensor in tensors(rows):
            dtype = np.object_ if tensor["datatype"] == "BYTES" else triton_to_np_dtype(tensor["datatype"])
            values = InferInput(tensor["name"], tensor["shape"], tensor["datatype"])
            values.set_data_from_numpy(np.array(tensor["data"], dtype).reshape(tensor["shape"]), binary_data=binary)
            made.append(values)
        return made

    def test_it_finds_the_server_and_the_model(self, client: Any) -> None:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(CHURN)
        assert client.is_model_ready(CHURN, "4")
        assert not client.is_model_ready("nothing")
        assert client.get_server_metadata()["name"] == "mlops"
        assert client.get_model_metadata(CHURN)["inputs"][0]["name"] == "age"

    def test_it_infers(self, client: Any, predict: Predict) -> None:
        from tritonclient.http import InferRequestedOutput

        rows = [ROW, ROW | {"plan": "basic", "age": 90.0, "member": False}]
        batch = predict.call({"rows": rows, "model_name": CHURN}, "/predict/batch").json
        result = client.infer(CHURN, self.inputs(rows), request_id="one")
        assert result.as_numpy("prediction").reshape(-1).tolist() == batch["predictions"]
        assert result.as_numpy("probabilities").max(axis=1).tolist() == pytest.approx(batch["confidences"])
        asked = [InferRequestedOutput("prediction", binary_data=False)]
        result = client.infer(CHURN, self.inputs(rows), model_version="4", outputs=asked)
        assert result.get_response()["model_version"] == "4"

    def test_binary_tensors_are_refused_with_the_words_that_help(self, client: Any) -> None:
        from tritonclient.utils import InferenceServerException

        with pytest.raises(InferenceServerException, match="binary_data=False") as refused:
            client.infer(CHURN, self.inputs([ROW], binary=True))
        assert refused.value.status() == "422"

    def test_it_shows_what_the_contract_refuses(self, client: Any) -> None:
        from tritonclient.utils import InferenceServerException

        with pytest.raises(InferenceServerException, match=r"inputs\.plan\.0: must be one of 'basic', 'gold'"):
            client.infer(CHURN, self.inputs([ROW | {"plan": "silver"}]))
