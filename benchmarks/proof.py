"""What it costs to convert a model of 500 trees on 30 columns, and to prove it, in the way of `log_model`.

python -m benchmarks.proof
"""

import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks import machine
from mlops_conversion import convert

NUMBERS, TEXTS = 20, 10
ROWS, HELD_OUT = 10_000, 5_000
TREES, BOUND_SECONDS = 500, 20.0


def main() -> int:
    """Write the results, and return 1 if a model takes longer than the bound."""
    result: dict[str, Any] = {"machine": machine.describe("scikit-learn", "lightgbm", "onnxruntime")}
    table, target = _table()
    result["rows"] = [_measured(name, model, table, target) for name, model in _models().items()]
    result |= {"columns": NUMBERS + TEXTS, "held_out": HELD_OUT, "trees": TREES, "bound_seconds": BOUND_SECONDS}
    machine.write("proof", "Conversion and proof", result, _text(result))
    print((machine.RESULTS / "proof.md").read_text())
    return 0 if all(row["seconds"] <= BOUND_SECONDS for row in result["rows"]) else 1


def _table() -> tuple[pd.DataFrame, np.ndarray]:
    """Return the columns of ROWS + HELD_OUT rows, a tenth of the cells missing, and two classes."""
    random = np.random.default_rng(5)
    rows = ROWS + HELD_OUT
    columns: dict[str, Any] = {f"number{at}": random.normal(at, 1 + at, rows) for at in range(NUMBERS)}
    texts = {f"text{at}": random.integers(0, 4 + 3 * at, rows) for at in range(TEXTS)}
    columns |= {name: np.array([f"level {code}" for code in codes], object) for name, codes in texts.items()}
    score = columns["number1"] - 0.4 * columns["number2"] + texts["text0"] - 0.2 * texts["text4"]
    frame = pd.DataFrame(columns).mask(random.random((rows, NUMBERS + TEXTS)) < 0.1)
    return frame, (score + random.normal(0, 2, rows) > np.median(score)).astype(int)


def _models() -> dict[str, ClassifierMixin]:
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    return {
        "LightGBM": LGBMClassifier(n_estimators=TREES, verbose=-1),
        "XGBoost": XGBClassifier(n_estimators=TREES),
        "RandomForest": RandomForestClassifier(n_estimators=TREES, min_samples_leaf=10, random_state=0),
        "HistGradientBoosting": HistGradientBoostingClassifier(max_iter=TREES, early_stopping=False),
    }


def _measured(name: str, model: ClassifierMixin, table: pd.DataFrame, target: np.ndarray) -> dict[str, Any]:
    numbers = [column for column in table if column.startswith("number")]
    texts = [column for column in table if column.startswith("text")]
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        ]
    )
    # float32, as the platform's own jobs train: so no threshold lies between two numbers that callers can send.
    table = table.astype(dict.fromkeys(numbers, np.float32))
    pipeline = make_pipeline(columns, model).fit(table[:ROWS], target[:ROWS])
    began, cpu = time.perf_counter(), time.process_time()
    converted = convert(pipeline, table[ROWS:], target=target[ROWS:])
    return {
        "model": name,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "megabytes": len(converted.content) / 1e6,
        "asked": sum(check["asked"] for check in converted.proof["checks"]),
        "accuracy": converted.metrics["accuracy"],
    }


def _text(result: dict[str, Any]) -> str:
    names = ("model", "seconds", "cpu_seconds", "megabytes", "asked", "accuracy")
    rows = [[row[name] for name in names] for row in result["rows"]]
    head = f"{TREES} trees, {NUMBERS + TEXTS} columns, {HELD_OUT:,} held-out rows; the bound is {BOUND_SECONDS:g} s"
    return machine.table([head, "s", "CPU s", "MB", "rows asked", "accuracy"], rows)


if __name__ == "__main__":
    sys.exit(main())
