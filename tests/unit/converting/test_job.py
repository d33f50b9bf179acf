"""The whole job, with the process that loads the model: the file and its proof, or a reason that people can act on."""

import json
import os
import pickle
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from conversion import job
from conversion.confinement import environment
from conversion.handover import Handover, Outcome
from infra.local.settings import ROOT
from mlops.domain.conversion import ConversionResult
from tests.unit.converting.conftest import BUCKET, FOLDER, RESULTS, SETTINGS, Convert, pickled, stored

SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "MLFLOW_TRACKING_URI")


def reason(result: ConversionResult) -> str:
    """Why nothing was made. Then the result is all that was stored."""
    assert result.sha256 is None
    assert set(stored()) == {RESULTS + "result.json"}
    assert ConversionResult.model_validate_json(stored()[RESULTS + "result.json"]) == result
    return str(result.reason)


def test_a_hostile_pickle_reaches_nothing(convert: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "secret-of-the-job")
    monkeypatch.setenv("ARTIFACT_BUCKET", BUCKET)
    seen = tmp_path / "seen.json"
    program = f"""
import json, os, botocore.session
found = botocore.session.get_session().get_credentials()
json.dump({{"variables": dict(os.environ), "credentials": found is not None}}, open({str(seen)!r}, "w"))
os.kill(os.getpid(), 9)
"""
    said = reason(convert(pickled(tmp_path / "model", program)))
    assert "by the signal 9, probably for lack of memory, while loading the model" in said
    found = json.loads(seen.read_text())
    assert not found["credentials"]
    assert "secret-of-the-job" not in json.dumps(found["variables"])
    assert BUCKET not in found["variables"].values()
    assert not [name for name in found["variables"] if name.startswith(("AWS_", "MLFLOW_TRACKING"))]


def test_only_what_finds_programs_is_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*SECRETS, "ARTIFACT_BUCKET", "CONVERSION_ID", "MODEL_FOLDER", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in environment(tmp_path).values()
    assert environment(tmp_path)["HOME"] == str(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_others_cannot_read_the_memory_of_the_first_process() -> None:
    program = (
        "import ctypes; from conversion.confinement import hide_own_memory; hide_own_memory(); "
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    path = os.pathsep.join(str(ROOT / folder) for folder in ("layers/core/python", "training_container"))
    shown = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": path}, capture_output=True, check=True)
    assert shown.stdout.strip() == b"0"


@pytest.mark.slow
def test_versions_are_compared_before_anything_is_unpickled(convert: Convert, tmp_path: Path) -> None:
    trace = tmp_path / "unpickled"
    folder = pickled(tmp_path / "model", f"open({str(trace)!r}, 'w')")
    (folder / "python_env.yaml").write_text("python: 3.8.1\n")
    (folder / "requirements.txt").write_text("scikit-learn==0.24.2\nnumpy==1.19.0\n")
    said = reason(convert(folder))
    assert f"Python 3.8.1 (here {platform.python_version()})" in said
    assert "scikit-learn 0.24.2 (here " in said
    assert "mlops_client.log_model" in said
    assert not trace.exists()


def test_a_model_that_takes_too_long_is_refused(convert: Convert, tmp_path: Path) -> None:
    said = reason(convert(pickled(tmp_path / "model", ""), replace(SETTINGS, conversion_seconds=0.01)))
    assert said.startswith("it was not done after 0 seconds, while starting")


def test_too_many_bytes_are_not_fetched(convert: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MAX_SOURCE_BYTES", 10)
    assert "at most 10 are converted" in reason(convert(pickled(tmp_path / "model", "")))


def test_an_object_with_an_address_of_its_own_stays_where_it_is(
    convert: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def looks(source: Path, made: Path, seconds: float) -> Outcome:
        fetched.extend(path.name for path in (source / "../../escaped", source / "escaped") if path.exists())
        return Outcome("no")

    monkeypatch.setattr(job, "convert_confined", looks)
    boto3.client("s3").put_object(Bucket=BUCKET, Key=FOLDER + "../../escaped", Body=b"x")
    convert(pickled(tmp_path / "model", ""))
    assert fetched == []


@pytest.mark.slow
def test_a_pipeline_is_converted_and_proved(convert: Convert, tmp_path: Path) -> None:
    """Logged as plainly as can be: no example, no signature."""
    import mlflow
    import onnxruntime
    from sklearn.datasets import load_wine
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    wine = load_wine(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(wine.data, wine.target)
    mlflow.sklearn.save_model(model, str(tmp_path / "model"), pip_requirements=["scikit-learn"])
    result = convert(tmp_path / "model")
    assert result.reason is None
    files = stored()
    made = {f"{result.sha256}.onnx", f"{result.proof_sha256}.npz", "result.json"}
    assert set(files) == {RESULTS + name for name in made}
    assert result.task == "classification"
    session = onnxruntime.InferenceSession(files[f"{RESULTS}{result.sha256}.onnx"])
    (answers,) = session.run(["probabilities"], {"numbers": wine.data.to_numpy(np.float32)})
    np.testing.assert_allclose(answers, model.predict_proba(wine.data), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pt2", "pickle"])
def test_a_torch_module_is_converted_in_both_of_mlflows_forms(convert: Convert, tmp_path: Path, form: Any) -> None:
    import mlflow
    import onnxruntime
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).eval()
    example = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)
    mlflow.pytorch.save_model(
        module, str(tmp_path / "model"), input_example=example, serialization_format=form, pip_requirements=["torch"]
    )
    result = convert(tmp_path / "model")
    assert (result.reason, result.task) == (None, "classification")
    session = onnxruntime.InferenceSession(stored()[f"{RESULTS}{result.sha256}.onnx"])
    (answers,) = session.run(None, {session.get_inputs()[0].name: example})
    with torch.no_grad():
        expected = torch.softmax(module(torch.from_numpy(example)), dim=1).numpy()
    np.testing.assert_allclose(answers, expected, atol=1e-4)


class TestHandover:
    """What foreign code leaves is not believed."""

    def test_a_file_is_read_with_its_hash(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"abc")
        found = Handover(tmp_path).read("f", 3)
        assert found is not None
        assert (found.data, found.sha256[:8]) == (b"abc", "ba7816bf")

    def test_what_is_no_plain_file_of_the_size_is_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "large").write_bytes(b"abcd")
        (tmp_path / "empty").write_bytes(b"")
        (tmp_path / "link").symlink_to("/etc/hostname")
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe")
        handover = Handover(tmp_path)
        names = ("large", "empty", "link", "folder", "pipe", "none")
        assert [handover.read(name, 3) for name in names] == [None] * 6

    @pytest.mark.parametrize("text", ["", "[]", "no JSON", "[" * 90_000, "{" * 200_000, "\xff"])
    def test_an_outcome_that_is_none_is_not_read(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "outcome.json").write_bytes(text.encode("latin-1"))
        assert Handover(tmp_path).outcome() is None

    @pytest.mark.parametrize(
        ("document", "outcome"),
        [
            ({}, Outcome()),
            ({"reason": ""}, Outcome("no reason was given")),
            ({"reason": {"a": 1}, "notes": "x"}, Outcome("{'a': 1}")),
            ({"task": 1, "notes": [1, None]}, Outcome(None, "1", ("1", "None"))),
        ],
    )
    def test_fields_become_text(self, tmp_path: Path, document: Any, outcome: Outcome) -> None:
        (tmp_path / "outcome.json").write_text(json.dumps(document))
        assert Handover(tmp_path).outcome() == outcome

    @pytest.mark.parametrize(
        "outcome", [Outcome(), Outcome(task="clustering"), Outcome("x" * 9000, notes=("n" * 900,) * 99)]
    )
    def test_the_result_fits_whatever_it_says(
        self, convert: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
    ) -> None:
        def left(source: Path, made: Path, seconds: float) -> Outcome:
            if outcome.task:
                (made / "model.onnx").write_bytes(b"x")
            return outcome

        monkeypatch.setattr(job, "convert_confined", left)
        assert reason(convert(pickled(tmp_path / "model", "")))


def test_pickles_are_what_they_seem(tmp_path: Path) -> None:
    """The programs of these tests run when a model is loaded."""
    trace = tmp_path / "trace"
    pickle.loads((pickled(tmp_path / "model", f"open({str(trace)!r}, 'w')") / "model.pkl").read_bytes())
    assert trace.exists()
