"""LightGBM: gradient boosting that grows the leaf with the largest gain first, with categories as they are."""

import math
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from mlops.domain.training_request import Range
from mlops_contract import Task
from trainer import openmp
from trainer.data import Dataset, Split
from trainer.models import expansion
from trainer.models.boosting import BoostedRows, BoosterType, BoostingHyperparameters, Report, TrainedBooster

if TYPE_CHECKING:
    import lightgbm


class LightGBMHyperparameters(BoostingHyperparameters):
    """LightGBM's own names."""

    num_leaves: Annotated[int, Field(ge=2, le=4096, description="Most leaves of a tree")] = 31
    max_depth: Annotated[int, Field(ge=-1, le=64, description="Deepest level of a tree; -1: no limit")] = -1
    min_child_samples: Annotated[int, Field(ge=0, le=1_000_000, description="Fewest rows of a leaf")] = 20


def boost(
    own: LightGBMHyperparameters, dataset: Dataset, rows: BoostedRows, report: Report, seed: int
) -> TrainedBooster:
    """Fit LightGBM to the coded matrix as it is."""
    openmp.load()
    import lightgbm

    categories = [at for at, feature in enumerate(dataset.feature_columns) if feature.levels is not None]
    train = _data(rows.train, categories)
    valid = [] if rows.validation is None else [_data(rows.validation, categories, train)]
    callbacks: list[Any] = [lambda state: report.after(state.iteration + 1, _losses(state, dataset.task, rows.spread))]
    if own.early_stopping_rounds and valid:
        callbacks.append(lightgbm.early_stopping(own.early_stopping_rounds, verbose=False))
    booster = lightgbm.train(
        _parameters(own, dataset, seed), train, num_boost_round=own.n_estimators, valid_sets=valid, callbacks=callbacks
    )
    # The text of a booster has only the rounds up to the best one.
    best = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=booster.best_iteration or None))
    return TrainedBooster(
        booster=best,
        answer=best.predict,
        gain=best.feature_importance("gain"),
        expansion=expansion.unchanged(dataset.features),
        names=tuple(feature.name for feature in dataset.feature_columns),
        task=dataset.task,
    )


def _data(split: Split, categories: list[int], like: "lightgbm.Dataset | None" = None) -> "lightgbm.Dataset":
    import lightgbm

    return lightgbm.Dataset(
        split.inputs, split.targets, weight=split.weights, categorical_feature=categories, reference=like
    )


def _parameters(own: LightGBMHyperparameters, dataset: Dataset, seed: int) -> dict[str, Any]:
    objective: dict[str, Any] = {"objective": "regression"}
    if dataset.task is Task.CLASSIFICATION:
        binary = dataset.classes == 2
        objective = {"objective": "binary"} if binary else {"objective": "multiclass", "num_class": dataset.classes}
    return {
        **own.model_dump(exclude={"n_estimators", "early_stopping_rounds"}),
        **objective,
        "subsample_freq": 1,
        "seed": seed,
        # The same model whatever the number of threads is.
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _losses(state: Any, task: Task, spread: float) -> dict[str, float]:
    """Return the round's validation loss as the other types measure it; none if nothing is validated."""
    for _, _, loss, _ in state.evaluation_result_list or ():
        if task is Task.REGRESSION:  # LightGBM reports the mean squared error
            return {"val_loss": loss / spread**2, "val_rmse": math.sqrt(loss)}
        return {"val_loss": loss}
    return {}


LIGHTGBM = BoosterType(
    "lightgbm",
    "LightGBM: gradient boosted trees; a strong default for tables.",
    LightGBMHyperparameters,
    boost,
    space={
        "learning_rate": Range(low=0.02, high=0.3, log=True),
        "num_leaves": [7, 15, 31, 63, 127],
        "min_child_samples": [5, 10, 20, 50],
        "subsample": Range(low=0.5, high=1),
        "colsample_bytree": Range(low=0.5, high=1),
        "reg_lambda": Range(low=0.001, high=10, log=True),
    },
    grid={"learning_rate": [0.05, 0.1], "num_leaves": [15, 31, 63], "min_child_samples": [10, 20]},
    preset={"n_estimators": 2000, "learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.8, "reg_lambda": 1.0},
)
