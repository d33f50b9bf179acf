"""The model types that the training image has, as it prints them (`python -m trainer types`) and the API publishes."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mlops.domain.training_data import DataKind
from mlops.domain.training_request import SHORT_FORM, Space, Value

DOCUMENT_KEY = "platform/model-types.json"
"""Where the document is in the artifact bucket."""
FORMER_NAMES = {"logistic_regression": "linear"}
"""Names that requests of the first version use, and the types' names now."""
Task = Literal["classification", "regression"]


class ModelType(BaseModel):
    """A model type.

    Attributes:
        name: As requests name it.
        tasks: The tasks that it takes.
        data: The kinds of data that it takes.
        description: One sentence.
        hyperparameters: The JSON Schema of its hyperparameters, an object.
        space: The default space of random sweeps.
        grid: The default space of grids.
        preset: The values of `"preset": "best"`.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    tasks: tuple[Task, ...]
    data: tuple[DataKind, ...]
    description: str
    hyperparameters: dict[str, Any]
    space: Space = {}
    grid: Space = {}
    preset: dict[str, Value] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its hyperparameters."""
        return tuple(self.hyperparameters.get("properties", {}))

    @property
    def takes_short_form(self) -> bool:
        """Whether fields of the request stand for its hyperparameters. A plug-in without any reads the fields."""
        return not self.names or set(SHORT_FORM) <= set(self.names)

    @property
    def whole(self) -> frozenset[str]:
        """The hyperparameters that are whole numbers."""
        properties: Mapping[str, Any] = self.hyperparameters.get("properties", {})
        return frozenset(name for name, schema in properties.items() if _is_whole(schema))

    def default_space(self, strategy: str) -> Space:
        """Return the space of a sweep that names none."""
        return self.grid if strategy == "grid" else self.space

    def effective(self, given: Mapping[str, Value], preset: str = "none") -> dict[str, Value]:
        """Return all hyperparameters with their values: those given, of the preset, and the defaults."""
        properties: Mapping[str, Any] = self.hyperparameters.get("properties", {})
        defaults = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
        return {**defaults, **(self.preset if preset == "best" else {}), **given}


class ModelTypes(BaseModel):
    """The document."""

    model_types: list[ModelType]

    def find(self, name: str) -> ModelType | None:
        """Return the type with this name, which may be a former one; None if there is none."""
        by_name = {each.name: each for each in self.model_types}
        return by_name.get(name) or by_name.get(FORMER_NAMES.get(name, name))

    def names(self) -> list[str]:
        """List the names."""
        return [each.name for each in self.model_types]


def _is_whole(schema: Mapping[str, Any]) -> bool:
    """Return whether a property is a whole number, which may be null."""
    options: Iterable[Mapping[str, Any]] = schema.get("anyOf", [schema])
    kinds = {option.get("type") for option in options}
    return "integer" in kinds and kinds <= {"integer", "null"}
