"""mlops data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output, subject
from mlops_client.cli.options import Json, Limit, new_client
from mlops_client.cli.tables import Column
from mlops_client.describing import describe as described
from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client import Client
    from mlops_data.profile import ColumnProfile, DataProfile, LevelCount, Quantiles, TargetProfile

data_app = typer.Typer(
    help="Describe a table on this machine, and list and delete what runs have used.", no_args_is_help=True
)
COLUMNS = (
    Column("column", keep=9),
    Column("type", keep=9),
    Column("missing", keep=8, right=True),
    Column("values", keep=9, wrap=True),
)
TYPES = {"double": "number", "long": "whole number", "string": "category"}
"""The types of the contract that are called differently in requests and in the documentation."""
SHOWN_LEVELS = 5
SHOWN_CLASSES = 20
SEARCHED = 1000
"""Data sets among which the beginning of a digest is looked up."""


def register(app: typer.Typer) -> None:
    app.add_typer(data_app, name="data")


@data_app.command("describe")
def describe(
    file: Annotated[
        str,
        typer.Argument(
            help="A table: .csv, .tsv, .jsonl or .ndjson, also packed as .gz or .zst; .parquet; or a folder of Parquet "
            "files."
        ),
    ],
    target: subject.Target = None,
    task: subject.Task = None,
    columns: subject.Columns = None,
    held_out: subject.HeldOut = None,
    weight: subject.Weight = None,
    as_json: Json = False,
) -> None:
    """Show how a table would be read for training. Nothing is sent. This needs the extra `data`."""
    profile = described(
        file,
        target=target,
        task=task,
        columns=subject.parse_columns(columns),
        held_out=subject.parse_held_out(held_out) if held_out is not None else None,
        weight=weight,
    )
    if as_json:
        output.print_json(profile.to_document())
    else:
        _show(profile)


@data_app.command("list")
def list_used(limit: Limit = 50, as_json: Json = False) -> None:
    """List the data sets that runs have used, those of the newest runs first."""
    listing = new_client().datasets(limit)
    if as_json:
        output.print_json(listing)
        return
    columns = [
        Column("data set", 9),
        Column("digest", 4),
        Column("runs", 6, right=True),
        Column("last used", 5, right=True, style="dim"),
        Column("experiments", 7),
        Column("newest run", 8),
    ]
    rows = [
        [
            f"{used.name} (deleted)" if used.deleted_at else used.name,
            used.digest[:12],
            used.runs,
            output.ago(used.last_used_at),
            ", ".join(used.experiments),
            used.latest_runs[0].run_name or used.latest_runs[0].run_id[:8] if used.latest_runs else "",
        ]
        for used in listing
    ]
    output.show(columns, rows, "no run has logged its data yet; start one: mlops train --watch")
    output.show_limit(listing)


@data_app.command("delete")
def delete(
    digest: Annotated[str, typer.Argument(help="Digest of the data set, or its beginning, as the list shows it.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Reason, which the history keeps.")],
    as_json: Json = False,
) -> None:
    """Delete a data set, for good: its files in the platform's bucket, and the rows that its runs have kept.

    Models that were made from it stay and serve.
    """
    client = new_client()
    deleted = client.delete_dataset(_whole(digest, client), reason)
    if as_json:
        output.print_json(deleted)
        return
    for address in deleted.addresses:
        output.print_line(f"deleted: {address}")
    output.print_line(f"deleted: rows in {deleted.runs:,} run{'' if deleted.runs == 1 else 's'}")
    if deleted.completed_at is None:
        output.note("some of them are left, and will be deleted within the hour")
    for version in deleted.versions:
        output.note(f"{version.model_name}@{version.version} was made from it, and stays")


def _whole(digest: str, client: Client) -> str:
    """Return the digest that begins so. Raises BadInput: several do."""
    found = sorted({used.digest for used in client.datasets(SEARCHED) if used.digest.startswith(digest)})
    if len(found) > 1:
        raise BadInput(f"{len(found)} data sets have a digest that begins with {digest!r}; name more of it")
    return found[0] if found else digest


def _show(profile: DataProfile) -> None:
    rows = profile.rows
    output.print_line(
        f"{profile.name}: {rows['train']:,} rows to train, {rows['validation']:,} to validate, "
        f"{rows['held_out']:,} held out to measure"
    )
    output.print_line(f"target {profile.target.name!r} ({profile.target.task}): {_target(profile.target)}")
    output.print_line("")
    output.show(COLUMNS, [_row(column) for column in profile.columns], "no columns")
    if profile.notes:
        output.print_line("")
    for note in profile.notes:
        output.print_line(f"- {note}")


def _target(target: TargetProfile) -> str:
    if target.quantiles is not None:
        return _range(target.quantiles)
    return _levels(target.classes or (), SHOWN_CLASSES, "class", "classes")


def _row(column: ColumnProfile) -> tuple[str, ...]:
    missing = output.percent(column.missing) if column.missing else ""
    return column.name, TYPES.get(column.type, column.type), missing, "; ".join(_values(column))


def _values(column: ColumnProfile) -> Iterator[str]:
    """Yield what a column has in the training rows."""
    if column.levels is not None:
        yield _levels(column.levels, SHOWN_LEVELS, "value", "values", column.distinct)
        if column.other:
            yield f"rare values in {column.other:,} rows"
    elif column.quantiles is not None:
        # The mean of a boolean is the share of true.
        yield f"{column.quantiles.mean:.1%} true" if column.type == "boolean" else _range(column.quantiles)


def _range(quantiles: Quantiles) -> str:
    text = f"{_quantile(quantiles.min)} to {_quantile(quantiles.max)}, median {_quantile(quantiles.median)}"
    return text if quantiles.mean is None else f"{text}, mean {_quantile(quantiles.mean)}"


def _quantile(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.7g}"


def _levels(levels: tuple[LevelCount, ...], most: int, one: str, several: str, distinct: int | None = None) -> str:
    """Return how many values there are, and the first ones with their numbers of rows."""
    count = len(levels) if distinct is None else distinct
    shown = ", ".join(f"{level.value} ({level.count:,})" for level in levels[:most])
    return f"{count:,} {one if count == 1 else several}: {shown}{', …' if len(levels) > most else ''}"
