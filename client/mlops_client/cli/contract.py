"""mlops contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, ModelName, new_client
from mlops_client.cli.tables import Column
from mlops_client.defaults import DEFAULT_MODEL

if TYPE_CHECKING:
    from mlops_client.models import ContractColumn, ModelContract

COLUMNS = (
    Column("column", keep=9),
    Column("type", keep=8),
    Column("required", keep=4),
    Column("values in training", keep=5, wrap=True),
    Column("also takes", keep=6),
    Column("in CSV", keep=3),
)
SHOWN_LEVELS = 5
TAKES = {"null": "null", "absent": "no value", "unseen": "other text", "beyond": "other numbers"}


def register(app: typer.Typer) -> None:
    app.command("contract")(contract)


def contract(
    model_name: ModelName = DEFAULT_MODEL,
    version: Annotated[
        int | None, typer.Option("--model-version", help="A version that is in Production or Staging.")
    ] = None,
    staging: Annotated[bool, typer.Option("--staging", help="Show that of the version in Staging.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a model takes: its columns or its input, and an example of a request."""
    found = new_client().contract(model_name, version=version, staging=staging)
    if as_json:
        output.print_json(found)
        return
    if found.columns is not None:
        output.show(COLUMNS, [_row(column) for column in found.columns], "no columns")
    out = output.console()
    out.print(_summary(found), markup=False)
    out.print(found.example.curl, markup=False, soft_wrap=True)
    output.note(f"{found.model_name} version {found.model_version} ({found.model_stage})")


def _row(column: ContractColumn) -> tuple[str, ...]:
    return (
        column.name,
        column.type,
        "yes" if column.required else "no",
        _values(column),
        ", ".join(TAKES[name] for name in column.proved if name in TAKES),
        column.form or "",
    )


def _values(column: ContractColumn) -> str:
    if column.levels is not None:
        more = f", … ({len(column.levels)})" if len(column.levels) > SHOWN_LEVELS else ""
        return ", ".join(column.levels[:SHOWN_LEVELS]) + more
    return f"{column.low:g} to {column.high:g}" if column.low is not None and column.high is not None else ""


def _summary(found: ModelContract) -> str:
    """Return in a sentence what the model takes and predicts."""
    predicts = f"one of {', '.join(map(str, found.labels))}" if found.labels else "a quantity"
    target = f"{found.target}: " if found.target else ""
    if found.input is None:
        return f"Predicts {target}{predicts}."
    image = found.input.image
    size = f"images of {image[0]}x{image[1]} pixels" if image else f"{found.input.features} numbers"
    return f"Takes {size}. Predicts {target}{predicts}."
