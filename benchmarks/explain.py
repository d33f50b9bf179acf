"""What it costs to explain an answer, and the memory that loading a model takes beside the size of its file.

python -m benchmarks.explain
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from mlops_conversion.trees import convert, explanation

COLUMNS, ROWS = 30, 10_000
CALLS = 50
BOUND_MS = 100.0
"""Of processor time, to explain one row of the largest model."""
MEBIBYTE = 1 << 20
LOADING = """
import json, re, sys
from mlops_contract.onnx_file import ModelFile
from mlops_contract.session import open_session
import numpy as np
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
open_session(ModelFile(open(sys.argv[1], "rb").read()))  # a small model, as what onnxruntime itself takes
base, file = peak(), ModelFile()
with open(sys.argv[2], "rb") as source:
    while piece := source.read(1 << 20):
        file.write(piece)
session = open_session(file)
entry = session.get_inputs()[0]
session.run(None, {entry.name: np.zeros((1, entry.shape[1]), np.float32)})
print(json.dumps(peak() - base))
"""


def main() -> int:
    """Write the results, and return 1 if explaining a row takes longer than the bound."""
    result: dict[str, Any] = {"machine": machine.describe("scikit-learn", "lightgbm", "xgboost-cpu", "onnxruntime")}
    inputs, target = _table()
    models = {name: model.fit(inputs, target) for name, model in _models().items()}
    result["rows"] = [_explained(name, model, inputs) for name, model in models.items()]
    result["loading"] = _loading(models)
    result["bound_ms"] = BOUND_MS
    machine.write("explain", "Explanations, and the memory of models", result, _text(result))
    print((machine.RESULTS / "explain.md").read_text())
    return 0 if all(row["explained_ms"] <= BOUND_MS for row in result["rows"]) else 1


def _table() -> tuple[np.ndarray, np.ndarray]:
    """Return float32 `[rows, columns]`, and two classes that depend on a third of the columns."""
    random = np.random.default_rng(5)
    inputs = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    score = inputs[:, :10] @ random.normal(size=10) + inputs[:, 0] * inputs[:, 1] + random.normal(size=ROWS)
    return inputs, (score > 0).astype(int)


def _models() -> dict[str, Any]:
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import RandomForestClassifier
    from xgboost import XGBClassifier

    return {
        "LightGBM, 100 trees of 31 leaves": LGBMClassifier(n_estimators=100, verbose=-1),
        "LightGBM, 500 trees of 31 leaves": LGBMClassifier(n_estimators=500, verbose=-1),
        "XGBoost, 100 trees of depth 6": XGBClassifier(n_estimators=100),
        "forest, 100 trees of at least 20 rows a leaf": RandomForestClassifier(
            100, min_samples_leaf=20, random_state=0
        ),
    }


def _explained(name: str, model: Any, inputs: np.ndarray) -> dict[str, Any]:
    import onnxruntime

    began = time.process_time()
    found = explanation(model, COLUMNS)
    made, paths = time.process_time() - began, found.summands
    content = convert(model, COLUMNS).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    answers = session.run(None, {"inputs": inputs[:CALLS]})[0]

    def explain(row: int) -> None:
        assert found.fits(inputs[row], answers[row])
        found.explain(inputs[row], int(answers[row].argmax()), COLUMNS)

    return {
        "model": name,
        "leaves_times_features": paths.work,
        "made_seconds": made,
        "file_megabytes": len(found.to_bytes()) / 1e6,
        "answered_ms": _median_ms(lambda row: session.run(None, {"inputs": inputs[row : row + 1]})),
        "explained_ms": _median_ms(explain),
    }


def _median_ms(call: Any) -> float:
    call(0)
    taken = []
    for row in range(CALLS):
        began = time.process_time()
        call(row)
        taken.append(1000 * (time.process_time() - began))
    return float(np.median(taken))


def _loading(models: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the size of files, and the most memory that a process took to load them and to answer once."""
    from sklearn.ensemble import RandomForestClassifier

    from tests.unit.predict.test_large_models import network

    inputs, target = _table()
    large = RandomForestClassifier(300, random_state=0).fit(inputs, target)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.onnx"
        small.write_bytes(convert(next(iter(models.values())), COLUMNS).SerializeToString())
        for name, megabytes in (("dense network", 100), ("dense network", 400), ("forest", None)):
            path = Path(folder) / "model.onnx"
            if megabytes is None:
                path.write_bytes(convert(large, COLUMNS).SerializeToString())
            else:
                network(path, 1, megabytes)
            done = subprocess.run(
                [sys.executable, "-c", LOADING, str(small), str(path)], capture_output=True, text=True, check=True
            )
            size, peak = path.stat().st_size, json.loads(done.stdout)
            found.append(
                {"model": name, "file_mib": size / MEBIBYTE, "peak_mib": peak / MEBIBYTE, "ratio": peak / size}
            )
    return found


def _text(result: dict[str, Any]) -> str:
    names = ("model", "leaves_times_features", "made_seconds", "file_megabytes", "answered_ms", "explained_ms")
    rows = [[row[name] for name in names] for row in result["rows"]]
    head = f"{COLUMNS} columns; the bound is {result['bound_ms']:g} ms"
    columns = [head, "leaves × features", "CPU s to make", "MB", "CPU ms to answer", "CPU ms to explain"]
    loading = [[row[name] for name in ("model", "file_mib", "peak_mib", "ratio")] for row in result["loading"]]
    memory = machine.table(["Loaded by its path", "MiB on disk", "MiB of memory at most", "ratio"], loading)
    return machine.table(columns, rows) + "\n" + memory


if __name__ == "__main__":
    sys.exit(main())
