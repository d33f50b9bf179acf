"""mlops predict."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Console, Group
from rich.text import Text

from mlops_client.cli import drawing, output
from mlops_client.cli.options import Json, new_client
from mlops_client.cli.output import Column
from mlops_client.errors import BadInput
from mlops_client.images import Image, read_images
from mlops_client.models import Prediction

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
            help="Numbers separated by commas, for models without images. Can be repeated.",
        ),
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Registered model. By default the platform's default model."),
    ] = None,
    staging: Annotated[bool, typer.Option("--staging", help="Use the version in Staging.")] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Send requests of 100 inputs each, and show the predictions as a table.")
    ] = False,
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
    """Predict images or other inputs, and draw the images."""
    if bool(files) == bool(inputs):
        raise BadInput("give image files, or --inputs 5.1,3.5,… for models without images")
    if batch and staging:
        raise BadInput("--batch uses the version in Production only; leave out --batch to use the one in Staging")
    vectors = [_numbers(text) for text in inputs or []]
    images = [
        image.inverted() if invert else image
        for path in files or []
        for image in read_images(path, first, count if count or batch else 1)
    ]
    if batch:
        _predict_batch(images, vectors, model_name, as_json)
    else:
        _predict_each(images, vectors, model_name, staging, as_json)


def _predict_batch(images: list[Image], vectors: list[list[float]], model_name: str | None, as_json: bool) -> None:
    client = new_client()
    answer = (
        client.predict_batch([image.pixels for image in images], model_name=model_name)
        if images
        else client.predict_batch(inputs=vectors, model_name=model_name)
    )
    if as_json:
        output.print_json(answer)
        return
    names = [image.name for image in images] or [_title(vector) for vector in vectors]
    rows = [
        [name, Text(str(prediction), style="bold")] for name, prediction in zip(names, answer.predictions, strict=True)
    ]
    columns = [Column("input", 3), Column("prediction", 9)]
    if answer.confidences is not None:  # a model that predicts quantities has none
        columns.append(Column("confidence", 7, right=True))
        rows = [[*row, f"{confidence:.1%}"] for row, confidence in zip(rows, answer.confidences, strict=True)]
    output.show(columns, rows, "no predictions")
    output.note(f"{answer.batch_size} predictions by {answer.model_name} version {answer.model_version}")


def _predict_each(
    images: list[Image], vectors: list[list[float]], model_name: str | None, staging: bool, as_json: bool
) -> None:
    client = new_client()
    if images:
        answers = [client.predict(image.pixels, model_name=model_name, staging=staging) for image in images]
    else:
        answers = [client.predict(inputs=vector, model_name=model_name, staging=staging) for vector in vectors]
    if as_json:
        output.print_json(answers[0] if len(answers) == 1 else answers)
        return
    out = output.console()
    names = [image.name for image in images] or [_title(vector) for vector in vectors]
    cards = []
    for index, (name, answer) in enumerate(zip(names, answers, strict=True)):
        parts: list[Any] = [Text(name, style="dim", overflow="fold")]
        if images and index < MAX_DRAWINGS:
            parts.append(drawing.drawn(images[index], out))
        cards.append(Group(*parts, _answer(answer, out)))
    out.print(Columns(cards, padding=(1, 3)) if len(cards) > 1 else cards[0])
    output.note(f"{answers[-1].model_name} version {answers[-1].model_version} ({answers[-1].model_stage})")


def _answer(answer: Prediction, out: Console) -> Text:
    """Return the prediction, and the most probable classes as bars."""
    text = Text(str(answer.prediction), style="bold green")
    if answer.confidence is None or not isinstance(answer.probabilities, list):  # a quantity
        return text
    probabilities = answer.probabilities
    text = Text.assemble(text, f"  {answer.confidence:.1%}\n")
    ranked = sorted(range(len(probabilities)), key=lambda index: -probabilities[index])
    # The answer names the most probable class only. The others get numbers, unless the labels are numbers.
    numbered = answer.prediction == ranked[0]
    for index in ranked[:SHOWN_CLASSES]:
        share = probabilities[index]
        name = str(index) if numbered else str(answer.prediction) if index == ranked[0] else f"class {index}"
        text.append(f"{name} " if numbered else f"{name:>8} ")
        text.append(drawing.bar(share, 16, out).ljust(16), style="cyan" if index == ranked[0] else "dim")
        text.append(f" {share:6.1%}\n", style="dim")
    text.rstrip()
    return text


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
