"""Models that are not converted: what to do with them."""

from typing import Any

from mlops_conversion.errors import CannotConvert


def refusal(model: Any) -> CannotConvert:
    """Return why a model of Keras is not converted, and the ways that work."""
    return CannotConvert(
        f"a model of Keras ({type(model).__name__}) is converted with the backend torch only: load it with "
        "KERAS_BACKEND=torch. Or Keras exports it itself, with model.export('model.onnx', format='onnx'); log the file "
        "as docs/models.md says"
    )
