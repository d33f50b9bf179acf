"""A model that plain MLflow logged goes to Production by one request, and answers as the original."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys, mlflow
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

kind, name = sys.argv[1:]
wine = load_wine(as_frame=True)
mlflow.set_experiment(f"conversion of {name}")
with mlflow.start_run():
    if kind == "sklearn":
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(wine.data, wine.target)
        mlflow.sklearn.log_model(model, name="model", registered_model_name=name)
        print(json.dumps([wine.data.to_dict("records"), model.predict_proba(wine.data).tolist()]))
    elif kind == "unconvertible":
        from sklearn.gaussian_process import GaussianProcessClassifier
        from sklearn.gaussian_process.kernels import RationalQuadratic

        model = GaussianProcessClassifier(RationalQuadratic()).fit(wine.data.iloc[::9], wine.target.iloc[::9])
        requirements = {"pip_requirements": ["scikit-learn"], "serialization_format": "cloudpickle"}
        mlflow.sklearn.log_model(model, name="model", registered_model_name=name, **requirements)
    else:
        class Opaque(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input: list[str]) -> list[str]:
                return model_input

        mlflow.pyfunc.log_model(
            name="model", python_model=Opaque(), registered_model_name=name, pip_requirements=["mlflow"]
        )
"""


@pytest.fixture
def log(stack):
    """Log a model as people do, in a process of their own. Return what it prints."""

    def logged(kind, name):
        environment = {**stack.env, "PATH": "/usr/bin:/bin", "HOME": str(stack.settings.home)}
        environment["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        command = [sys.executable, "-c", SCRIPT, kind, name]
        done = subprocess.run(command, env=environment, cwd=stack.settings.home, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return logged


def ended(api, transition):
    """Wait for the end of a transition, and return it with the states that it was seen in."""
    seen = [transition["status"]]

    def done(answer):
        seen.append(answer["status"])
        return answer["status"] not in ("queued", "converting")

    return api.wait(f"/models/transitions/{transition['transition_id']}", until=done, seconds=600), seen


@pytest.mark.slow
def test_a_plain_model_is_promoted_and_answers_as_the_original(api, log, aws_client, outputs):
    rows, expected = json.loads(log("sklearn", "plain-wine").splitlines()[-1])
    asked = api.post("/models/transition", {"model_name": "plain-wine", "version": 1, "stage": "Production"})
    moved, seen = ended(api, asked)
    assert (moved["status"], moved["error"]) == ("succeeded", None)
    assert "converting" in seen
    assert {gate["check"]: gate["passed"] for gate in moved["gates"]}["proof"]
    conversion = api.get("/models/plain-wine/versions/1/conversion")
    assert (conversion["status"], conversion["sha256"]) == ("succeeded", moved["sha256"])
    assert api.get("/models/plain-wine")["production_version"] == 1

    answer = api.post("/predict/batch", {"model_name": "plain-wine", "rows": rows})
    assert answer["predictions"] == [wanted.index(max(wanted)) for wanted in expected]
    assert answer["confidences"] == pytest.approx([max(wanted) for wanted in expected], abs=1e-4)
    for row, wanted in zip(rows[::40], expected[::40], strict=True):
        alone = api.post("/predict", {"model_name": "plain-wine", "row": row})
        assert list(alone["probabilities"].values()) == pytest.approx(wanted, abs=1e-4)

    again = api.send("POST", "/models/plain-wine/versions/1/conversion")
    assert (again.status, again.json["conversion_id"]) == (200, conversion["conversion_id"])
    listing = aws_client("s3").list_objects_v2(Bucket=outputs["ArtifactBucketName"], Prefix="conversions/plain-wine/1/")
    assert len(listing["Contents"]) == 3
    archived = api.post("/models/transition", {"model_name": "plain-wine", "version": 1, "stage": "Archived"})
    assert ended(api, archived)[0]["status"] == "succeeded"
    back = api.post("/models/plain-wine/rollback", {"reason": "back to the converted file"})
    moved, seen = ended(api, back)
    assert (moved["status"], moved["sha256"]) == ("succeeded", conversion["sha256"])
    assert "converting" not in seen


@pytest.mark.slow
def test_what_cannot_be_converted_is_rejected_with_the_reason(api, log):
    log("unconvertible", "plain-process")
    started = api.send("POST", "/models/plain-process/versions/1/conversion")
    assert (started.status, started.json["status"]) == (202, "running")
    asked = api.post("/models/transition", {"model_name": "plain-process", "version": 1, "stage": "Production"})
    moved, _ = ended(api, asked)
    conversion = api.get("/models/plain-process/versions/1/conversion")
    assert (moved["status"], conversion["status"]) == ("rejected", "failed")
    assert conversion["error"] in moved["error"]
    assert "GaussianProcessClassifier" in conversion["error"]
    assert api.get("/models/plain-process")["production_version"] is None


@pytest.mark.slow
def test_a_model_of_which_nothing_is_known_is_rejected_at_once(api, log):
    log("pyfunc", "plain-pyfunc")
    asked = api.post("/models/transition", {"model_name": "plain-pyfunc", "version": 1, "stage": "Production"})
    moved, seen = ended(api, asked)
    assert moved["status"] == "rejected"
    assert "mlflow.{sklearn, xgboost, lightgbm, pytorch}.log_model" in moved["error"]
    assert "converting" not in seen
    assert api.send("GET", "/models/plain-pyfunc/versions/1/conversion").status == 404
