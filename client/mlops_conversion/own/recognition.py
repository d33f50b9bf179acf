"""Which library made a model, and what it and its data are."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from mlops_contract import Task
from mlops_conversion.errors import CannotConvert
from mlops_conversion.own import arrays, frames, source
from mlops_conversion.own.original import Array, Label, Original
from mlops_conversion.own.source import Source

LIBRARIES = ("torch", "lightgbm", "xgboost", "catboost", "keras", "tensorflow", "sklearn")
REMEDY = (
    "These can: estimators and pipelines of scikit-learn, models of XGBoost, LightGBM and CatBoost, and torch modules. "
    "Another model can be exported to ONNX by its own library, and logged as docs/models.md says"
)


def library_of(model: Any) -> str:
    """Return the library that made a model.

    Raises:
        CannotConvert: It is none of those that are known.
    """
    roots = [kind.__module__.partition(".")[0] for kind in type(model).__mro__]
    for library in LIBRARIES:
        if library in roots:
            return library
    raise CannotConvert(f"{type(model).__qualname__} is no model that can be converted. {REMEDY}")


def recognised(
    model: Any, data: Any, task: Task | None, labels: tuple[Label, ...] | None, example: Any, target: str
) -> tuple[Original, Source]:
    """Return the model as an original, and the data as its source.

    Raises:
        CannotConvert: The model cannot be converted.
        ValueError: The data does not fit it.
    """
    library = library_of(model)
    if library == "torch":
        return _module(model, data, task, labels, example, target)
    original = fitted(model, library)
    return original, _source(model, original, data, target)


def fitted(model: Any, library: str) -> Original:
    """Return a model of any library but torch as an original. Raises CannotConvert."""
    if library in ("keras", "tensorflow"):
        from mlops_conversion.own import elsewhere

        raise elsewhere.refusal(model)
    if library in ("lightgbm", "xgboost", "catboost"):
        from mlops_conversion.own import boosters

        return boosters.original(model, library)
    from mlops_conversion.own import scikit_learn

    return scikit_learn.original(model)


def _source(model: Any, original: Original, data: Any, target: str) -> Source:
    if hasattr(data, "columns") and hasattr(data, "dtypes"):
        return _of_frame(original, data, target)
    if hasattr(data, "dtype") and hasattr(data, "index") and getattr(data, "ndim", 0) == 1:
        name = data.name if isinstance(data.name, str) and data.name else "text"
        return source.of_texts(data, name, original.task, target)
    array = np.asarray(data)
    if array.ndim == 1 and array.dtype.kind in "OU" and len(array) and all(isinstance(text, str) for text in array):
        return source.of_texts(array, "text", original.task, target)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"data is an array of {array.dtype}; give numbers, or a pandas DataFrame with a type for each column"
        )
    if original.columns is not None and find_spec("pandas") is not None:
        import pandas as pd

        return _of_frame(original, pd.DataFrame(array, columns=list(original.columns)), target)
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float64)
    return arrays.of_array(array, original.task, target, whole=False, rebuild=lambda matrix: matrix.astype(dtype))


def _of_frame(original: Original, frame: Any, target: str) -> Source:
    names = original.columns
    if names is not None:
        # LightGBM has an underscore where a name had a space.
        given = {str(name).replace(" ", "_"): name for name in frame.columns}
        names = tuple(name if name in frame.columns else given.get(name, name) for name in names)
    return frames.of_frame(frame, names, original.task, target)


def _module(
    model: Any, data: Any, task: Task | None, labels: tuple[Label, ...] | None, example: Any, target: str
) -> tuple[Original, Source]:
    import torch

    from mlops_conversion.own import modules

    names = None
    if isinstance(data, torch.Tensor):
        tensor = data.detach().cpu()
    elif hasattr(data, "columns") and hasattr(data, "dtypes"):
        names = tuple(map(str, data.columns))
        tensor = torch.from_numpy(_matrix(data))
    else:
        tensor = torch.from_numpy(np.ascontiguousarray(data))
    if tensor.dtype == torch.float64 and not any(weights.dtype == torch.float64 for weights in model.parameters()):
        tensor = tensor.float()
    if isinstance(example, np.ndarray):
        example = torch.from_numpy(example)
    original = modules.original(model, tensor, task, labels, example)

    def rebuild(matrix: Array) -> Any:
        return torch.from_numpy(matrix).to(tensor.dtype).reshape(-1, *tensor.shape[1:])

    whole = not tensor.dtype.is_floating_point
    found = arrays.of_array(tensor.numpy(), original.task, target, whole=whole, rebuild=rebuild)
    if whole:
        row = tensor[:1].contiguous()
        places = range(len(found.contract.columns))
        found = arrays.bounded(found, [modules.accepted(model.eval(), row, place) for place in places])
    return original, found if names is None else arrays.renamed(found, names)


def _matrix(frame: Any) -> Array:
    """Return a frame of numbers as float32, or as int64 if all of it is whole numbers."""
    kinds = {dtype.kind for dtype in frame.dtypes}
    if not kinds <= set("biuf"):
        wrong = next(name for name, dtype in frame.dtypes.items() if dtype.kind not in "biuf")
        raise ValueError(f"the column {wrong!r} of data is not numeric, and a module takes numbers; encode it before")
    return np.asarray(frame.to_numpy(np.int64 if kinds <= set("iu") else np.float32))
