"""mlops import-labels and mlops label-imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output, watching
from mlops_client.cli.options import Json, Limit, ModelName, new_client
from mlops_client.cli.output import ago
from mlops_client.cli.tables import Column, Shown
from mlops_client.cli.training import Watch
from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.errors import JobFailed

if TYPE_CHECKING:
    from mlops_client.models import LabelImportState


def register(app: typer.Typer) -> None:
    app.command("import-labels")(import_labels)
    app.command("label-imports")(label_imports)


def import_labels(
    source: Annotated[
        str,
        typer.Argument(
            metavar="S3",
            help="The s3:// address of a file (.parquet, .csv, .tsv, .jsonl, .ndjson), or of a folder, which ends "
            "in /. Columns: prediction_id or id, and label; if you like also row and observed_at.",
        ),
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Replace other labels of the same predictions.")] = False,
    model_name: ModelName = DEFAULT_MODEL,
    as_json: Json = False,
) -> None:
    """Take the labels in files in S3, by a job on the platform."""
    client = new_client()
    started = client.import_labels(source, model_name, replace=replace)
    state = watching.watch_label_import(
        lambda: client.label_import(started.import_id), started.import_id, quiet=as_json
    )
    if as_json:
        output.print_json(state)
    if state.status != "completed":
        raise JobFailed(state, state.import_id)
    if not as_json:
        output.print_line(_counts(state))
        if state.refused_url:
            output.note(f"the refused labels, with the reasons: {state.refused_url}")
    if state.counts.get("refused"):
        raise typer.Exit(1)


def label_imports(
    import_id: Annotated[str | None, typer.Argument(metavar="ID", help="Show this one, such as import_0199….")] = None,
    limit: Limit = 20,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """List imports of labels, or show one."""
    client = new_client()
    if import_id is None:
        states = client.label_imports(limit)
        if as_json:
            output.print_json(states)
            return
        columns = [
            Column("import", 9, whole=True),
            Column("status", 8),
            Column("model", 5),
            Column("rows", 7, right=True),
            Column("refused", 6, right=True),
            Column("created", 5, right=True, style="dim"),
        ]
        rows = [
            [
                state.import_id,
                state.status,
                state.model_name,
                Shown(f"{state.rows:,}", state.rows),
                Shown(f"{refused:,}", refused) if (refused := state.counts.get("refused", 0)) else "",
                ago(state.created_at),
            ]
            for state in states
        ]
        output.show(columns, rows, "no imports of labels; start one: mlops import-labels s3://… --model NAME")
        output.show_limit(states)
        return
    state = client.label_import(import_id)
    if watch:
        state = watching.watch_label_import(lambda: client.label_import(import_id), import_id, quiet=as_json)
    if as_json:
        output.print_json(state)
        return
    facts = [
        ("import", state.import_id),
        ("status", state.status),
        ("model", state.model_name),
        ("input", f"{state.input} ({state.files} files)"),
        ("rows", f"{state.rows:,}"),
        ("labels", _counts(state)),
        ("started by", state.actor),
        ("refused", state.refused_url),
        ("error", state.error),
    ]
    output.show_facts(facts)


def _counts(state: LabelImportState) -> str:
    counts = sorted(state.counts.items())
    return ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in counts) or "none"
