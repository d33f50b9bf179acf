"""The model types that the training image has, as it prints them (`python -m trainer types`) and the API publishes."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mlops.domain.training_data import DataKind
from mlops.domain.training_request import SHORT_FORM, Space, Value

DOCUMENT_KEY = "platform/model-types.json"
"""Where the document is in the artifact bucket."""
FORMER_NAMES = {"logistic_regression": "linear"}
"""Names that requests of the first version use, and the types' names now."""
Task = Literal["classification", "regression"]


class TaskUnknown(ValueError):
    """A grid depends on the task, and nothing says which one it is. The message names the remedy."""


class ModelType(BaseModel):
    """A model type.

    Attributes:
        name: As requests name it.
        tasks: The tasks that it takes.
        data: The kinds of data that it takes.
        description: One sentence.
        hyperparameters: The JSON Schema of its hyperparameters, an object.
        space: The default space of random sweeps. It may have hyperparameters of one task beside those of another.
        grid: The default space of grids, likewise.
        preset: The values of `"preset": "best"`.
        gpu: Whether it can train on a GPU.
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
    gpu: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its hyperparameters."""
        return tuple(self.hyperparameters.get("properties", {}))

    @property
    def takes_short_form(self) -> bool:
        """Whether fields of the request stand for its hyperparameters."""
        return set(SHORT_FORM) <= set(self.names)

    @property
    def whole(self) -> frozenset[str]:
        """The hyperparameters that are whole numbers."""
        properties: Mapping[str, Any] = self.hyperparameters.get("properties", {})
        return frozenset(name for name, schema in properties.items() if _is_whole(schema))

    @property
    def whole_in_sweeps(self) -> tuple[str, ...]:
        """What is a whole number in the space of a sweep: these, and the seed."""
        return tuple(sorted(self.whole | {"seed"}))

    def tasks_of(self, name: str) -> tuple[str, ...]:
        """Return the tasks that use a hyperparameter: those that its schema names, or all of the type's."""
        schema: Mapping[str, Any] = self.hyperparameters.get("properties", {}).get(name, {})
        return tuple(schema.get("tasks", self.tasks))

    def limited(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return those of the hyperparameters that not all of the type's tasks use, each with the tasks that do."""
        return {name: tasks for name in names if not {*self.tasks} <= {*(tasks := self.tasks_of(name))}}

    def default_space(self, strategy: str, task: str | None, given: Collection[str] = ()) -> Space:
        """Return the space of a sweep that names none, without hyperparameters that the task does not use.

        Args:
            strategy: How runs are chosen.
            task: What is predicted, if it is known before the data is read.
            given: Hyperparameters that all runs have. They are not in the space. One that only one task uses says what
                the task is.

        Raises:
            TaskUnknown: The task is not known, and it decides which runs a grid has.
        """
        of_strategy = self.grid if strategy == "grid" else self.space
        space = {name: values for name, values in of_strategy.items() if name not in given}
        if task is None:
            task = next((tasks[0] for tasks in self.limited(given).values()), None)
        if task is not None:
            return {name: values for name, values in space.items() if task in self.tasks_of(name)}
        # Random runs draw what either task uses, and each uses its own. Runs of a grid would repeat each other.
        if strategy == "grid" and self.limited(space):
            raise TaskUnknown(f"must be given: the default grid of {self.name} depends on it; or give a space")
        return space

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
