"""Tables of customers for models that people wrote themselves, and what the platform answers to their rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mlops.inference.model import Model
from mlops_contract.rows import RowsRefused

NUMBERS, TEXTS = ["age", "income", "visits"], ["city", "plan"]
WORDS = ("café", "naïve", "straße", "Über", "plain", "don't", "zwei", "good", "bad")


def customers(rows: int, seed: int, missing: float = 0.1) -> pd.DataFrame:
    """Rows of every type. A share of two numbers and of a text is missing. Numbers are as float32 has them."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.normal(40, 12, rows),
            "income": random.normal(250_000, 3_000, rows),
            "visits": random.integers(0, 9, rows),
            "member": random.random(rows) < 0.5,
            "city": random.choice(["Berlin", "Lyon", "Oslo", "Porto"], rows),
            "plan": random.choice(["basic", "family", "business"], rows),
            "note": [" ".join(random.choice(WORDS, 4)) for _ in range(rows)],
        }
    )
    for name in ("age", "income", "city"):
        frame.loc[random.random(rows) < missing, name] = None
    for name in ("age", "income"):
        frame[name] = frame[name].astype(np.float32).astype(np.float64)
    return frame


def spent(frame: pd.DataFrame) -> pd.Series:
    """A quantity that all columns have a part in."""
    score = frame["age"].fillna(75) / 12 + (frame["income"].fillna(251_000) - 250_000) / 2_000
    score += frame["city"].map({"Berlin": 1.0, "Oslo": -1.0}).astype(float).fillna(0.0) + frame["visits"] / 4
    score += frame["member"] + frame["note"].str.count("good") + frame["plan"].map({"basic": 1}).astype(float).fillna(0)
    return (score * 100 + 2_000).rename("spent")


def churned(frame: pd.DataFrame) -> pd.Series:
    """Two classes."""
    score = spent(frame)
    return pd.Series(np.where(score > score.median(), "yes", "no"), name="churned")


def answered(model: Model, rows: list[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """What predict's own code answers to rows as callers send them: which rows it takes, and its answers to those."""
    encoder = model.encoder
    assert encoder is not None
    taken = np.array([_takes(encoder, row) for row in rows], bool)
    answers = model.outputs(encoder.encode([row for row, takes in zip(rows, taken, strict=True) if takes]).feeds)
    return taken, answers


def _takes(encoder: Any, row: Mapping[str, Any]) -> bool:
    try:
        encoder.encode([row])
    except RowsRefused:
        return False
    return True


def json_rows(frame: pd.DataFrame, names: list[str]) -> list[dict[str, Any]]:
    """The rows as callers send them."""
    columns = {name: [None if pd.isna(value) else value for value in frame[name].tolist()] for name in names}
    return [{name: columns[name][row] for name in names} for row in range(len(frame))]
