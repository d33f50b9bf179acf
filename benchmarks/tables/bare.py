"""The same training as a script does it with pandas and the library alone: read, fit, measure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.tables.clock import Clock
from benchmarks.tables.made import TARGET, TIMES
from mlops_data import splitting

if TYPE_CHECKING:
    import pandas as pd

EARLY_STOPPING_ROUNDS = 50
HELD_OUT = 0.2
COMMON = {"learning_rate": 0.1, "random_state": 42}


def train(path: Path, model_type: str, rounds: int) -> dict[str, Any]:
    """Train on the rows that the trainer trains on, stop early by those that it validates by, measure the others.

    Text is a category to the library, and of a time it gets the same four numbers as in the trainer.
    """
    clock = Clock()
    import pandas as pd

    __import__(model_type)
    clock.note("import")
    frame = pd.read_csv(path, parse_dates=list(TIMES)) if path.suffix == ".csv" else pd.read_parquet(path)
    target = frame.pop(TARGET)
    classes = not pd.api.types.is_numeric_dtype(target)
    truth = target.astype("category").cat.codes.to_numpy(np.int64) if classes else target.to_numpy()
    parts = splitting.by_class(truth, 2, HELD_OUT) if classes else splitting.by_share(len(truth), HELD_OUT)
    features = _features(frame)
    train, validation, held_out = (
        (features[parts == part], truth[parts == part])
        for part in (splitting.TRAIN, splitting.VALIDATION, splitting.HELD_OUT)
    )
    clock.note("read")
    model = _FITTED[model_type](classes, rounds, train, validation)
    clock.note("fit")
    answers = model.predict(held_out[0])
    clock.note("measure")
    score = np.mean(answers == held_out[1]) if classes else np.sqrt(np.mean((answers - held_out[1]) ** 2))
    return {**clock.result(), "score": float(score), "held_out": len(held_out[1])}


def _features(frame: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    for name in TIMES:
        time = frame.pop(name)
        frame[f"{name}.day"] = (time - pd.Timestamp(2000, 1, 1)).dt.days
        frame[f"{name}.month"], frame[f"{name}.weekday"] = time.dt.month, time.dt.day_of_week
        frame[f"{name}.hour"] = time.dt.hour
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            flags = pd.api.types.is_bool(frame[name].dropna().iloc[0])
            frame[name] = frame[name].astype("float32" if flags else "category")
    return frame


def _lightgbm(classes: bool, rounds: int, train: Any, validation: Any) -> Any:
    import lightgbm

    model = (lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor)(
        n_estimators=rounds, verbosity=-1, **COMMON
    )
    stop = lightgbm.early_stopping(EARLY_STOPPING_ROUNDS, verbose=False)
    return model.fit(*train, eval_X=validation[0], eval_y=validation[1], callbacks=[stop])


def _xgboost(classes: bool, rounds: int, train: Any, validation: Any) -> Any:
    import xgboost

    model = (xgboost.XGBClassifier if classes else xgboost.XGBRegressor)(
        n_estimators=rounds, max_depth=6, enable_categorical=True, early_stopping_rounds=EARLY_STOPPING_ROUNDS, **COMMON
    )
    return model.fit(*train, eval_set=[validation], verbose=False)


_FITTED = {"lightgbm": _lightgbm, "xgboost": _xgboost}
