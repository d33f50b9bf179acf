"""XGBoost: gradient boosting that grows trees level by level, with categories as they are."""

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from mlops.domain.training_request import Range
from mlops_contract import Task
from trainer.data import Dataset, Split
from trainer.models import expansion
from trainer.models.boosting import BoostedRows, BoosterType, BoostingHyperparameters, Report, TrainedBooster

if TYPE_CHECKING:
    import xgboost

VALIDATION = "validation"
_NUMBER, _CATEGORY = "q", "c"
"""XGBoost's kinds of features: quantitative and categorical."""


class XGBoostHyperparameters(BoostingHyperparameters):
    """XGBoost's own names."""

    max_depth: Annotated[int, Field(ge=1, le=32, description="Deepest level of a tree")] = 6
    min_child_weight: Annotated[
        float, Field(ge=0, le=1e6, description="Least sum of the loss's second derivatives in a leaf")
    ] = 1.0
    reg_lambda: Annotated[float, Field(ge=0, le=1e6, description="L2 penalty of the leaves' values")] = 1.0


def boost(
    own: XGBoostHyperparameters, dataset: Dataset, rows: BoostedRows, report: Report, seed: int
) -> TrainedBooster:
    """Fit XGBoost to the coded matrix as it is."""
    import xgboost

    kinds = [_NUMBER if feature.levels is None else _CATEGORY for feature in dataset.feature_columns]
    train = _data(rows.train, kinds)
    valid = [] if rows.validation is None else [(_data(rows.validation, kinds, train), VALIDATION)]
    stops = bool(own.early_stopping_rounds and valid)
    booster = xgboost.train(
        _parameters(own, dataset, seed),
        train,
        num_boost_round=own.n_estimators,
        evals=valid,
        early_stopping_rounds=own.early_stopping_rounds if stops else None,
        verbose_eval=False,
        callbacks=[_callback(report, dataset.task, rows.spread)],
    )
    if stops:
        booster = booster[: booster.best_iteration + 1]
    gains = booster.get_score(importance_type="total_gain")  # by f0, f1, … of the inputs that a split uses
    return TrainedBooster(
        booster=booster,
        answer=booster.inplace_predict,
        gain=np.array([gains.get(f"f{at}", 0.0) for at in range(dataset.features)]),
        expansion=expansion.unchanged(dataset.features),
        names=tuple(feature.name for feature in dataset.feature_columns),
        task=dataset.task,
    )


def _data(split: Split, kinds: list[str], like: "xgboost.DMatrix | None" = None) -> "xgboost.DMatrix":
    import xgboost

    return xgboost.QuantileDMatrix(
        split.inputs, split.targets, weight=split.weights, feature_types=kinds or None, ref=like
    )


def _parameters(own: XGBoostHyperparameters, dataset: Dataset, seed: int) -> dict[str, Any]:
    objective: dict[str, Any] = {"objective": "reg:squarederror", "eval_metric": "rmse"}
    if dataset.task is Task.CLASSIFICATION:
        objective = {"objective": "binary:logistic", "eval_metric": "logloss"}
        if dataset.classes > 2:
            objective = {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": dataset.classes}
    return {
        **own.model_dump(exclude={"n_estimators", "early_stopping_rounds"}),
        **objective,
        "tree_method": "hist",
        "seed": seed,
        "verbosity": 0,
    }


def _callback(report: Report, task: Task, spread: float) -> "xgboost.callback.TrainingCallback":
    from xgboost.callback import TrainingCallback

    class Reporting(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            report.after(epoch + 1, _losses(evals_log, task, spread))
            return False

    return Reporting()


def _losses(evals_log: Any, task: Task, spread: float) -> dict[str, float]:
    """Return the round's validation loss as the other types measure it; none if nothing is validated."""
    if not evals_log:
        return {}
    (history,) = evals_log[VALIDATION].values()
    loss = float(history[-1])
    if task is Task.REGRESSION:  # XGBoost reports the root of the mean squared error
        return {"val_loss": (loss / spread) ** 2, "val_rmse": loss}
    return {"val_loss": loss}


XGBOOST = BoosterType(
    "xgboost",
    "XGBoost: gradient boosted trees of limited depth.",
    XGBoostHyperparameters,
    boost,
    space={
        "learning_rate": Range(low=0.02, high=0.3, log=True),
        "max_depth": [3, 4, 6, 8, 10],
        "min_child_weight": Range(low=0.5, high=20, log=True),
        "subsample": Range(low=0.5, high=1),
        "colsample_bytree": Range(low=0.5, high=1),
        "reg_lambda": Range(low=0.01, high=10, log=True),
    },
    grid={"learning_rate": [0.05, 0.1], "max_depth": [4, 6, 8], "min_child_weight": [1.0, 5.0]},
    preset={"n_estimators": 2000, "learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.8},
)
