"""mlops predict."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Console, Group
from rich.text import Text

from mlops_client.cli import drawing, explaining, output
from mlops_client.cli.csv_answers import predict_csv
from mlops_client.cli.options import Json, new_client
from mlops_client.cli.tables import Column
from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.errors import BadInput, MlopsError
from mlops_client.images import Image, read_images
from mlops_client.models import Prediction

if TYPE_CHECKING:
    from mlops_client.client import Client

SHOWN_CLASSES = 3
MAX_DRAWINGS = 12


def register(app: typer.Typer) -> None:
    app.command("predict")(predict)


def predict(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Images: PNG, numpy arrays (npy) or IDX (MNIST's format), gzipped or not."),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--inputs",
            "-i",
            help="Numbers separated by commas, for models of vectors. Can be repeated.",
        ),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--row",
            help='A row as JSON, for models of tables, as in \'{"age": 41, "job": null}\'. Can be repeated.',
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="A CSV file with rows, for models of tables. The model's contract says how cells are read.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="COLUMN", help="With --csv: do not send a column, such as an id. Can be repeated."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="With --csv: write the rows with their answers to this file."),
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Registered model. By default the platform's default model."),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option("--model-version", help="The version that must answer. By default the one in Production."),
    ] = None,
    staging: Annotated[bool, typer.Option("--staging", help="Use the version in Staging.")] = False,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch", help="Send requests of 100 inputs, or of 1,000 rows, and show the predictions as a table."
        ),
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also show what each column of a row adds to the answer.")
    ] = False,
    explain_label: Annotated[
        str | None,
        typer.Option(
            "--explain-label", metavar="LABEL", help="Explain this class instead of the one that is predicted."
        ),
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="Index of the first image to read from a file with several.")] = 0,
    count: Annotated[
        int | None,
        typer.Option(min=1, help="Number of images to read from each file. [all with --batch, otherwise 1]"),
    ] = None,
    invert: Annotated[
        bool, typer.Option("--invert", help="Invert black and white, for dark ink on light paper.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Predict images, lists of numbers, or rows of tables. Images are drawn."""
    if sum(map(bool, (files, inputs, rows, csv))) != 1:
        raise BadInput("give image files, or --inputs 5.1,3.5,…, or --row '{\"age\": 41}', or --csv FILE")
    if (batch or csv) and staging:
        raise BadInput(f"--{'batch' if batch else 'csv'} uses the version in Production only; leave out --staging")
    explained = explain if explain_label is None else explain_label
    if explained is not False and not as_json and (csv or batch):
        raise BadInput("the explanations of many rows are printed as JSON: add --json")
    if csv:
        if version is not None:
            raise BadInput("--csv uses the version in Production; leave out --model-version")
        predict_csv(csv, out, ignore or [], model_name or DEFAULT_MODEL, as_json, explained)
        return
    if ignore or out:
        raise BadInput("--ignore and --out need --csv")
    if rows:
        asked = _Asked("row", "rows", [_row(row) for row in rows], rows)
    elif inputs:
        vectors = [_numbers(numbers) for numbers in inputs]
        asked = _Asked("inputs", "inputs", vectors, [_title(vector) for vector in vectors])
    else:
        images = [
            image.inverted() if invert else image
            for path in files or []
            for image in read_images(path, first, count if count or batch else 1)
        ]
        asked = _Asked("image", "images", [image.pixels for image in images], [image.name for image in images], images)
    options: dict[str, Any] = {"model_name": model_name, "version": version, "explain": explained}
    if batch:
        _predict_batch(asked, options, as_json)
    else:
        _predict_each(asked, {**options, "staging": staging}, as_json)


@dataclass(frozen=True)
class _Asked:
    """Inputs, the arguments of the SDK for one and for many of them, what they are called, and images to draw."""

    one: str
    many: str
    values: list[Any]
    names: list[str]
    images: list[Image] = field(default_factory=list)


def _predict_batch(asked: _Asked, options: dict[str, Any], as_json: bool) -> None:
    answer = new_client().predict_batch(**{asked.many: asked.values, **options})
    if as_json:
        output.print_json(answer)
        return
    rows = [
        [name, Text(str(prediction), style="bold")]
        for name, prediction in zip(asked.names, answer.predictions, strict=True)
    ]
    columns = [Column("input", 3), Column("prediction", 9)]
    if answer.confidences is not None:  # a model that predicts quantities has none
        columns.append(Column("confidence", 7, right=True))
        rows = [[*row, f"{confidence:.1%}"] for row, confidence in zip(rows, answer.confidences, strict=True)]
    output.show(columns, rows, "no predictions")
    for warning in answer.warnings or ():
        output.note(warning)
    output.note(f"{answer.batch_size} predictions by {answer.model_name} version {answer.model_version}")


def _predict_each(asked: _Asked, options: dict[str, Any], as_json: bool) -> None:
    client = new_client()
    answers = [client.predict(**{asked.one: value, **options}) for value in asked.values]
    if as_json:
        output.print_json(answers[0] if len(answers) == 1 else answers)
        return
    out = output.console()
    cards = []
    labels = _labels(client, answers)
    for index, (name, answer) in enumerate(zip(asked.names, answers, strict=True)):
        explanation: list[Text] = []
        parts: list[Any] = [Text(name, style="dim", overflow="fold")]
        if asked.images and index < MAX_DRAWINGS:
            parts.append(drawing.drawn(asked.images[index], out))
        if answer.explanation is not None:
            explanation = [explaining.drawn(answer.explanation, out)]
        cards.append(Group(*parts, _answer(answer, labels, out), *explanation))
    out.print(Columns(cards, padding=(1, 3)) if len(cards) > 1 else cards[0])
    for warning in [warning for answer in answers for warning in answer.warnings or ()]:
        output.note(warning)
    for reason in dict.fromkeys(filter(None, (answer.explanation_reason for answer in answers))):
        output.note(f"not explained: {reason}")
    output.note(f"{answers[-1].model_name} version {answers[-1].model_version} ({answers[-1].model_stage})")


def _labels(client: Client, answers: Sequence[Prediction]) -> list[int | str]:
    """Return the labels that the probabilities of the answers belong to; empty if the answers say so themselves.

    An answer has its own label only. The others are in the contract, which a key may not be allowed to read.
    """
    answer = answers[0]
    if not isinstance(answer.probabilities, list):
        return []
    try:
        return client.contract(answer.model_name, version=answer.model_version).labels
    except MlopsError:
        return []


def _answer(answer: Prediction, labels: Sequence[int | str], out: Console) -> Text:
    """Return the prediction, and the most probable classes as bars; of a quantity the number alone."""
    text = Text(str(answer.prediction), style="bold green")
    if answer.confidence is None:
        return text
    text = Text.assemble(text, f"  {answer.confidence:.1%}\n")
    ranked = _ranked(answer, labels)
    width = max((len(name) for name, _ in ranked), default=0)
    for place, (name, share) in enumerate(ranked):
        text.append(f"{name:>{width}} ")
        text.append(drawing.bar(share, 16, out).ljust(16), style="dim" if place else "cyan")
        text.append(f" {share:6.1%}\n", style="dim")
    text.rstrip()
    return text


def _ranked(answer: Prediction, labels: Sequence[int | str]) -> list[tuple[str, float]]:
    """Return the most probable classes, with their names."""
    shares = answer.probabilities or []
    if isinstance(shares, dict):
        return sorted(shares.items(), key=lambda item: -item[1])[:SHOWN_CLASSES]
    ranked = sorted(range(len(shares)), key=lambda index: -shares[index])[:SHOWN_CLASSES]
    if len(labels) == len(shares):
        return [(str(labels[index]), shares[index]) for index in ranked]
    # Without the contract only the most probable class has a name.
    return [
        (f"class {index}" if place else str(answer.prediction), shares[index]) for place, index in enumerate(ranked)
    ]


def _row(text: str) -> dict[str, Any]:
    try:
        row = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise BadInput(f"--row {text!r} is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise BadInput(f"--row {text!r}: expected an object with the values of the columns, as in '{{\"age\": 41}}'")
    return row


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON; write null for a missing value")


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise BadInput(f"--inputs {text!r}: expected numbers separated by commas") from None
    if not all(map(math.isfinite, numbers)):
        raise BadInput(f"--inputs {text!r}: every number must be finite")
    return numbers


def _title(vector: list[float]) -> str:
    shown = ", ".join(f"{value:g}" for value in vector[:6])
    return shown + (", …" if len(vector) > 6 else "")
