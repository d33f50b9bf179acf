"""mlops model-types."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, new_client
from mlops_client.cli.tables import Column
from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.models import ModelType

TYPES = (
    Column("model type", keep=9),
    Column("tasks", keep=7),
    Column("data", keep=6),
    Column("description", keep=5, wrap=True),
)
HYPERPARAMETERS = (
    Column("hyperparameter", keep=9),
    Column("values", keep=8),
    Column("default", keep=8),
    Column("best", keep=4),
    Column("sweeps try", keep=5),
    Column("description", keep=3, wrap=True),
)


def register(app: typer.Typer) -> None:
    app.command("model-types")(model_types)


def model_types(
    name: Annotated[str | None, typer.Argument(help="Show the hyperparameters of this model type.")] = None,
    as_json: Json = False,
) -> None:
    """List model types and their hyperparameters."""
    found = new_client().model_types()
    if name is None:
        if as_json:
            output.print_json(found)
        else:
            rows = [(each.name, ", ".join(each.tasks), ", ".join(each.data), each.description) for each in found]
            output.show(TYPES, rows, "No model types.")
        return
    chosen = next((each for each in found if each.name == name), None)
    if chosen is None:
        raise BadInput(f"there is no model type {name!r}; choose one of {', '.join(each.name for each in found)}")
    if as_json:
        output.print_json(chosen)
    else:
        output.show(HYPERPARAMETERS, list(_rows(chosen)), f"{name} has no hyperparameters of its own.")


def _rows(model_type: ModelType) -> Iterable[tuple[str, ...]]:
    properties: dict[str, dict[str, Any]] = model_type.hyperparameters.get("properties", {})
    for name, schema in properties.items():
        yield (
            name,
            _values(schema),
            json.dumps(schema["default"]) if "default" in schema else "",
            json.dumps(model_type.preset[name]) if name in model_type.preset else "",
            _tried(model_type.space.get(name)),
            str(schema.get("description", "")),
        )


def _values(schema: dict[str, Any]) -> str:
    """Return in words which values a JSON Schema allows, such as `whole number, 1 to 100`."""
    if "anyOf" in schema:
        return " or ".join(_values(option) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    kind = {"integer": "whole number", "string": "text"}.get(schema.get("type", ""), str(schema.get("type", "any")))
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    bounds = [
        f"from {low:g}" if low is not None else f"above {above:g}" if above is not None else "",
        f"to {high:g}" if high is not None else f"below {below:g}" if below is not None else "",
    ]
    return " ".join([kind, *filter(None, bounds)])


def _tried(values: Any) -> str:
    """Return a list of values, or a range, as `mlops sweep --try` takes them."""
    if isinstance(values, dict):
        return f"{values['low']:g}..{values['high']:g}{':log' if values.get('log') else ''}"
    return ",".join(json.dumps(value) if not isinstance(value, str) else value for value in values or [])
