"""Say what a model is, and how each part of it would be converted."""

from collections.abc import Iterator
from typing import Any

from mlops_contract import Task
from mlops_conversion.converted import Description
from mlops_conversion.own import cat_boost, forests, numeric
from mlops_conversion.own.recognition import fitted, library_of

_TABLES = ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
_TEXTS = ("CountVectorizer", "TfidfVectorizer")
_LINEAR = ("LogisticRegression", "LogisticRegressionCV", "LinearRegression", "Ridge", "RidgeCV", "Lasso", "ElasticNet")


def describe(model: Any) -> Description:
    """Return the description, as `mlops_conversion.describe` says it.

    Raises:
        CannotConvert: It is no model that can be converted.
    """
    library = library_of(model)
    kind = type(model).__name__
    if library == "torch":
        return Description(
            kind, library, None, None, (f"{kind}: exported by torch.onnx, with what makes probabilities",)
        )
    original = fitted(model, library)
    steps = tuple(_parts(model, ())) if library == "sklearn" else (f"{kind}: {_how(model)}",)
    labels = original.labels if original.task is Task.CLASSIFICATION else None
    last = steps[-1].partition(":")[0].rpartition(" ")[2]
    shown = kind if len(steps) == 1 else f"{kind} of {last.strip('()')}"
    return Description(shown, library, original.task, labels, steps)


def _parts(step: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the parts of a step in the order in which a row goes through them."""
    from mlops_conversion.own.estimators import unwrapped

    step = unwrapped(step)
    kind = type(step).__name__
    if kind == "Pipeline":
        inner = step.steps
    elif kind == "ColumnTransformer":
        inner = [(name, part) for name, part, _ in step.transformers_]
    elif kind == "FeatureUnion":
        inner = step.transformer_list
    elif kind == "TransformedTargetRegressor":
        inner = [("regressor", step.regressor_)]
    else:
        where = f"{' › '.join(path)} ({kind})" if path else kind
        yield f"{where}: {_how(step)}"
        return
    for name, part in inner:
        if part is not None and not isinstance(part, str):
            yield from _parts(part, (*path, name))


def _how(step: Any) -> str:
    kind = type(step).__name__
    if forests.is_forest(step):
        return "its trees are copied, with thresholds rounded so that float32 numbers take the same branches"
    if cat_boost.is_catboost(step):
        return "CatBoost's own exporter"
    if kind in _TABLES:
        return "a table of what it does with each known value, an unknown one and a missing one"
    if kind in _TEXTS:
        return "skl2onnx, with options under which it cuts and lowers text as Python does"
    if kind in numeric.STEPS or kind in _LINEAR or kind == "SimpleImputer" or hasattr(step, "get_support"):
        return "the same arithmetic, in the precision of the original"
    return "skl2onnx, if it can; the proof decides"
