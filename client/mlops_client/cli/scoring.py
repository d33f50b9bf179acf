"""mlops score, batch-predictions."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output, watching
from mlops_client.cli.options import Json, Limit, new_client
from mlops_client.cli.output import ago, duration
from mlops_client.cli.tables import Column, Shown
from mlops_client.cli.training import Watch
from mlops_client.errors import BadInput, JobFailed

if TYPE_CHECKING:
    from mlops_client.client import Client
    from mlops_client.listing import Listing
    from mlops_client.models import BatchPredictionState


def register(app: typer.Typer) -> None:
    app.command("score")(score)
    app.command("batch-predictions")(batch_predictions)


def score(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|S3",
            help="The file with the rows (.parquet, .csv, .tsv, .jsonl, .ndjson), or the s3:// address of such a file "
            "or folder.",
        ),
    ],
    model_name: Annotated[str, typer.Option("--model", "-m", help="Name of the registered model.")],
    out: Annotated[
        str, typer.Option("--out", "-o", help="The Parquet file to write; of an s3:// input, the s3:// folder.")
    ],
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", "-k", help="Copy this column beside the answers. Can be repeated."),
    ] = None,
    stage: Annotated[str | None, typer.Option(help="Production or Staging. [Production]")] = None,
    max_rejected: Annotated[float, typer.Option(min=0, max=1, help="The share of rows that may be set aside.")] = 0.01,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write the probability of each class too.")
    ] = False,
    remote: Annotated[
        bool, typer.Option("--remote", help="Upload the file, and let the platform score it. --out then is a folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Answer all rows of a file: on this machine, or on the platform with --remote or an s3:// address."""
    client = new_client()
    if source.startswith("s3://"):
        _on_platform(client, source, out, model_name, keep, stage, max_rejected, probabilities, as_json)
        return
    path, target = Path(source), Path(out)
    if not path.is_file():
        raise BadInput(f"there is no file {source}; a folder must be in S3")
    if remote:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise BadInput(f"{target} is there already; --out names a new folder for the files of the answers")
        address = client.upload_data(path)
        # Uploads are at s3://<bucket>/datasets/uploads/<hash>/<name>; each run has a folder of its own.
        folder = f"{address.partition('/datasets/')[0]}/scored/uploads/{secrets.token_hex(8)}/"
        state = _on_platform(client, address, folder, model_name, keep, stage, max_rejected, probabilities, as_json)
        _download(client, state, target)
        return
    from mlops_client.scoring import score as score_here

    with _progress(as_json) as on_progress:
        scored = score_here(
            client,
            path,
            target,
            model_name,
            stage=stage,
            keep=keep or (),
            probabilities=probabilities,
            max_rejected=max_rejected,
            on_progress=on_progress,
        )
    model = scored.model
    if as_json:
        output.print_json(
            {
                "model_name": model.model_name,
                "model_version": model.model_version,
                "rows": scored.rows,
                "rejected": scored.rejected,
                "reasons": scored.reasons,
                "out": str(target),
                "rejected_file": str(scored.rejected_file) if scored.rejected_file else None,
            }
        )
        return
    output.print_line(
        f"{scored.rows - scored.rejected:,} rows answered by {model.model_name} version {model.model_version}, "
        f"written to {target}"
    )
    if scored.rejected_file:
        output.note(f"{scored.rejected:,} rows were set aside; their reasons are in {scored.rejected_file}")


def batch_predictions(
    batch_id: Annotated[str | None, typer.Argument(metavar="ID", help="Show this one, such as batch_0199….")] = None,
    limit: Limit = 20,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """List batch predictions, or show one."""
    client = new_client()
    if batch_id is None:
        _list(client.batch_predictions(limit), as_json)
        return
    state = client.batch_prediction(batch_id)
    if watch:
        state = watching.watch_batch_prediction(lambda: client.batch_prediction(batch_id), batch_id, quiet=as_json)
    if as_json:
        output.print_json(state)
    else:
        _show(state)


def _on_platform(
    client: Client,
    source: str,
    out: str,
    model_name: str,
    keep: list[str] | None,
    stage: str | None,
    max_rejected: float,
    probabilities: bool,
    as_json: bool,
) -> BatchPredictionState:
    """Start a batch prediction, and follow it to its end. Raises JobFailed."""
    started = client.batch_predict(
        model_name, source, out, stage=stage, keep=keep, max_rejected=max_rejected, probabilities=probabilities
    )
    state = watching.watch_batch_prediction(started.status, started.batch_id, quiet=as_json)
    if as_json:
        output.print_json(state)
    if state.status != "completed":
        raise JobFailed(state, state.batch_id)
    if not as_json:
        answered = state.rows - state.rejected
        output.print_line(
            f"{answered:,} rows answered by {state.model_name} version {state.model_version}, in {state.output}"
        )
        if state.rejected:
            output.note(f"{state.rejected:,} rows were set aside; their reasons are in {state.output}rejected/")
    return state


def _download(client: Client, state: BatchPredictionState, folder: Path) -> None:
    """Copy the files of the answers into a folder."""
    for file in client.batch_prediction_files(state.batch_id):
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.transport.download(file.url))
    output.note(f"downloaded to {folder}")


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[int], None]]:
    """Yield what shows how many rows are done: a line that is rewritten, on a terminal. At the end that line ends."""
    told: list[int] = []

    def show(rows: int) -> None:
        if not as_json and sys.stderr.isatty():
            told.append(rows)
            sys.stderr.write(f"\r{rows:,} rows ")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if told:
            sys.stderr.write("\n")


def _list(states: Listing[BatchPredictionState], as_json: bool) -> None:
    if as_json:
        output.print_json(states)
        return
    columns = [
        Column("batch prediction", 9, whole=True),
        Column("status", 8),
        Column("model", 5),
        Column("shards", 4, right=True),
        Column("rows", 7, right=True),
        Column("set aside", 6, right=True),
        Column("rows/s", 3, right=True),
        Column("duration", 2, right=True),
        Column("created", 5, right=True, style="dim"),
    ]
    rows = [
        [
            state.batch_id,
            state.status,
            f"{state.model_name} {state.model_version}",
            f"{state.shards_done}/{state.shards}",
            Shown(f"{state.rows:,}", state.rows),
            Shown(f"{state.rejected:,}", state.rejected),
            Shown(f"{rate:,.0f}", rate) if (rate := state.rows_per_second) else "",
            duration(state.started_at, state.completed_at if state.ended else None),
            ago(state.created_at),
        ]
        for state in states
    ]
    output.show(columns, rows, "no batch predictions; start one: mlops score s3://… --model NAME --out s3://…")
    output.show_limit(states)


def _show(state: BatchPredictionState) -> None:
    facts = [
        ("batch prediction", state.batch_id),
        ("status", state.status),
        ("model", f"{state.model_name} version {state.model_version}"),
        ("input", f"{state.input} ({state.input_files} files, {state.input_bytes / 1e6:,.1f} MB)"),
        ("output", state.output),
        ("shards", f"{state.shards_done} of {state.shards} done"),
        ("rows", f"{state.rows:,}"),
        ("set aside", f"{state.rejected:,}"),
        ("rows per second", f"{state.rows_per_second:,.0f}" if state.rows_per_second else None),
        ("vCPU hours", f"{state.vcpu_hours:g}"),
        ("created", f"{state.created_at} ({ago(state.created_at)})"),
        ("duration", duration(state.started_at, state.completed_at if state.ended else None)),
        ("error", state.error),
    ]
    output.show_facts(facts)
    out = output.console()
    for reason, count in state.reasons.items():
        out.print(f"{f'{count:,} rows':<18} {reason}", soft_wrap=True)
