"""Write the report of a run: pictures and figures of the evaluation, and the model card."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.domain.objective import Objective
from mlops_contract.explanations import EXPLAIN_FILE
from mlops_contract.proof_rows import PROOF_FILE
from trainer.data import Dataset
from trainer.evaluation import Evaluation, Picture
from trainer.export import Exported
from trainer.log import log_event
from trainer.model_card import model_card
from trainer.parameters import Parameters
from trainer.summary import CARD

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEATURES_DRAWN = 20
NAME_LENGTH = 30


def write(
    folder: Path,
    parameters: Parameters,
    dataset: Dataset,
    evaluation: Evaluation,
    exported: Exported,
    facts: Mapping[str, str],
    *,
    objective: Objective,
    baseline: float | None = None,
    importance: Mapping[str, float] | None = None,
) -> None:
    """Write the pictures, evaluation.json, the proof and model_card.md into `folder`; for a table also
    profile.json, and what explains its answers.

    A picture that cannot be drawn is left out, and the log says so.

    Args:
        folder: An empty folder.
        parameters: The parameters of the run.
        dataset: What it was trained and measured on.
        evaluation: How good the model is.
        exported: The model.
        facts: Where it comes from.
        objective: The metric that says how good it is.
        baseline: The objective of a naive model.
        importance: How much each feature contributes, as shares; None if the model type does not say it.
    """
    pictures = dict(evaluation.pictures())
    if importance:
        pictures["importance.png"] = lambda: importance_picture(importance)
    for name, picture in pictures.items():
        _draw(folder / name, picture)
    _write_json(folder / "evaluation.json", evaluation.to_document())
    if dataset.profile is not None:
        _write_json(folder / "profile.json", dataset.profile.to_document())
    _write_json(folder / "proof.json", exported.proof)
    (folder / PROOF_FILE).write_bytes(exported.proof_rows)
    if exported.explanation is not None:
        (folder / EXPLAIN_FILE).write_bytes(exported.explanation)
    card = model_card(parameters, dataset, evaluation, exported, facts, objective, baseline, exported.proof_summary)
    (folder / CARD).write_text(card, encoding="utf-8")


def importance_picture(importance: Mapping[str, float]) -> "Figure":
    """Draw the features that contribute most, the first one on top."""
    from matplotlib.figure import Figure

    shares = sorted(importance.items(), key=lambda entry: (-entry[1], entry[0]))[:FEATURES_DRAWN]
    figure = Figure(figsize=(6.4, 1.2 + 0.25 * len(shares)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(shares))
    axes.barh(places, [share for _, share in shares])
    axes.set_yticks(places, [name[:NAME_LENGTH] for name, _ in shares], parse_math=False)
    axes.invert_yaxis()
    axes.set(xlabel="share of the importance", title=f"{len(shares)} of {len(importance)} features")
    return figure


def _draw(path: Path, picture: Picture) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        drawn = io.BytesIO()
        # Figure.savefig draws everything twice.
        FigureCanvasAgg(picture()).print_png(drawn)  # type: ignore[no-untyped-call]
        path.write_bytes(drawn.getvalue())
    except Exception as error:
        # A model is worth more than its picture. Matplotlib asks any IPython that is loaded for its display, and MLflow
        # may be importing it on the other thread; it needs folders that can be written to; and it draws any label.
        log_event("report.picture_failed", picture=path.name, reason=f"{type(error).__name__}: {error}")


def _write_json(path: Path, document: Mapping[str, object]) -> None:
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
