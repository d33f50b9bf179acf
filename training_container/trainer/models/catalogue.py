"""The document about all model types, from which the API checks requests and the console builds its form."""

from collections.abc import Sequence
from typing import Any

from mlops.domain.training_request import Range
from trainer.models import registry
from trainer.models.protocols import ModelType


def catalogue(names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return model types as a JSON object: what each takes, its hyperparameters' JSON Schema, its spaces and preset.

    Args:
        names: All types by default.

    Raises:
        ParameterError: A type is unknown, or its package cannot be loaded.
    """
    wanted = registry.names() if names is None else names
    return {"model_types": [_document(name, registry.find(name)) for name in wanted]}


def _document(name: str, model_type: ModelType) -> dict[str, Any]:
    return {
        "name": name,
        "tasks": [task.value for task in model_type.tasks],
        "data": [kind.value for kind in model_type.data],
        "description": model_type.description,
        "hyperparameters": model_type.hyperparameters.model_json_schema(),
        "space": {
            name: values.model_dump() if isinstance(values, Range) else list(values)
            for name, values in model_type.space.items()
        },
        "grid": {name: list(values) for name, values in model_type.grid.items()},
        "preset": dict(model_type.preset),
        "gpu": getattr(model_type, "gpu", False),
    }
