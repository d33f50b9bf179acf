"""Models that their own libraries export better than we could: what to do with them."""

from typing import Any

from mlops_conversion.errors import CannotConvert

_WAYS = {
    "catboost": (
        "CatBoost exports models without cat_features itself: model.save_model('model.onnx', format='onnx'). Its "
        "output is a ZipMap, which the gate refuses: remove it, and log the file as docs/models.md says. Or fit "
        "LightGBM, which converts with categories"
    ),
    "keras": (
        "Keras exports models itself: model.export('model.onnx', format='onnx'); log the file as docs/models.md says. "
        "Or load its weights into a torch module"
    ),
}


def refusal(model: Any, library: str) -> CannotConvert:
    """Return why a model is not converted, and the way that works."""
    way = _WAYS["keras" if library == "tensorflow" else library]
    return CannotConvert(f"{type(model).__name__} of {library} is not converted here. {way}")
