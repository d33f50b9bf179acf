"""Predictions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from mlops_client.csv_answers import answer_columns, answered, check_free
from mlops_client.csv_rows import read_csv
from mlops_client.defaults import DEFAULT_MODEL
from mlops_client.errors import BadInput, Invalid
from mlops_client.inputs import image_fields, plain, scale_of
from mlops_client.models import BatchPrediction, Explanation, ModelContract, Prediction
from mlops_client.records import decode
from mlops_client.routes.base import Routes, given
from mlops_client.rows import Row, pages, plain_row, plain_rows, renumbered, renumbered_error
from mlops_client.transport import path

BATCH_SIZE = 100
"""The API's limit of images or lists of numbers per request."""
ROWS_SIZE = 1000
"""The API's limit of rows per request."""
EXPLAINED_SIZE = 100
"""So many rows of any model are explained in time."""


class PredictionRoutes(Routes):
    """Get predictions from models."""

    def predict(
        self,
        image: Any = None,
        *,
        inputs: Any = None,
        row: Any = None,
        scale: float | None = None,
        model_name: str | None = None,
        version: int | None = None,
        staging: bool = False,
        explain: bool | str | int = False,
    ) -> Prediction:
        """Predict one input.

        Args:
            image: An array or nested list of pixels, `[28, 28]` or flat; the bytes of a PNG; or the path of a PNG.
            inputs: For models of vectors: one number per feature.
            row: For models of tables: a dict of the columns' values. None and NaN are missing values.
            scale: The value of white. By default 255 for numpy's whole numbers, and 1 for others.
            model_name: The registered model. By default the platform's default model.
            version: The version that must answer. It has to be in Production, or in Staging.
            staging: Whether to use the version in Staging.
            explain: Whether the answer to a row also says what each column adds to it; or the label of the class to
                explain instead of the predicted one.

        Raises:
            BadInput: Not exactly one of image, inputs and row is given, or it cannot be sent.
        """
        if sum(each is not None for each in (image, inputs, row)) != 1:
            raise BadInput("predict needs one of image, inputs and row")
        if image is not None:
            body = image_fields(image, scale)
        else:
            body = {"inputs": plain(inputs)} if row is None else {"row": plain_row(row)}
        route = "/predict/staging" if staging else "/predict"
        body |= given({"model_name": model_name, "version": version})
        return decode(Prediction, self.transport.call("POST", route, body, _explaining(explain), safe=True))

    def predict_batch(
        self,
        images: Any = None,
        *,
        inputs: Any = None,
        rows: Any = None,
        scale: float | None = None,
        model_name: str | None = None,
        version: int | None = None,
        explain: bool | str | int = False,
    ) -> BatchPrediction:
        """Predict many inputs, with one request per 100 images or lists of numbers, or per 1,000 rows.

        Rows that are explained are sent 100 at a time. One version answers all requests.

        Args:
            images: `[n, rows, columns]` or `[n, pixels]`.
            inputs: For models of vectors: `[n, features]`.
            rows: For models of tables: a list of dicts, or a pandas DataFrame. None and NaN are missing values.
            scale: See `predict`.
            model_name: See `predict`.
            version: See `predict`.
            explain: See `predict`.

        Returns:
            The answers. It has a `prediction_id` if they came in one request; for labels of larger batches, send rows
            with an `id` of your own.

        Raises:
            BadInput: Not exactly one of images, inputs and rows is given, it is empty, or it cannot be sent.
            Invalid: The API refuses an input. Its index counts all inputs, from 0.
            Conflict: Another version was promoted between two requests, and the first one's serves no more.
        """
        if sum(each is not None for each in (images, inputs, rows)) != 1:
            raise BadInput("predict_batch needs one of images, inputs and rows")
        if rows is not None:
            field, values, most = "rows", plain_rows(rows), EXPLAINED_SIZE if _explaining(explain) else ROWS_SIZE
        elif inputs is not None:
            field, values, most = "inputs_list", plain(inputs), BATCH_SIZE
        else:
            field, values, most = "images", plain(images), BATCH_SIZE
        if not values:
            raise BadInput("predict_batch needs at least one input")
        white = None if images is None else scale_of(images, scale)
        rest = given({"scale": white, "model_name": model_name, "version": version})
        answers, warnings = [], []
        for start, page in pages(values, most):
            answer = self._predict_page(field, start, {field: page, **rest}, _explaining(explain))
            answers.append(answer)
            rest["version"] = answer.model_version  # a promotion meanwhile must not mix the answers of two versions
            warnings += [renumbered(warning, field, start) for warning in answer.warnings or ()]
        return BatchPrediction(
            prediction_id=answers[0].prediction_id if len(answers) == 1 else None,
            predictions=[prediction for answer in answers for prediction in answer.predictions],
            confidences=[confidence for answer in answers for confidence in answer.confidences or ()] or None,
            model_name=answers[-1].model_name,
            model_version=answers[-1].model_version,
            batch_size=len(values),
            warnings=warnings or None,
            explanations=_together(answers),
            explanation_reason=next(filter(None, (answer.explanation_reason for answer in answers)), None),
        )

    def contract(
        self, model_name: str = DEFAULT_MODEL, *, version: int | None = None, staging: bool = False
    ) -> ModelContract:
        """Return what a model takes and gives, with an example of a request.

        Args:
            model_name: The registered model.
            version: A version that is in Production or Staging. By default the one in Production.
            staging: Whether to return that of the version in Staging.
        """
        query = given({"version": version, "stage": "Staging" if staging else None})
        return decode(ModelContract, self.transport.call("GET", path("models", model_name, "contract"), query=query))

    def predict_csv(
        self,
        file: str | Path,
        *,
        model_name: str = DEFAULT_MODEL,
        ignore: Collection[str] = (),
        out: Any = None,
        explain: bool | str | int = False,
    ) -> BatchPrediction:
        """Predict the rows of a CSV file, whose cells are read as the model's contract says.

        Args:
            file: A file in UTF-8, whose first line has the names of the columns.
            model_name: The registered model.
            ignore: Columns that are not sent, such as an id.
            out: A file to write: the rows with the columns `prediction` and, of classes, `confidence`.
            explain: See `predict`.

        Returns:
            The answers. Warnings name the line.

        Raises:
            BadInput: The file cannot be used, or the model does not take a value. Names line, column and remedy.
        """
        table = read_csv(Path(file), ignore)
        if out is not None:
            check_free(table)
        contract = self.contract(model_name)

        def ask(rows: list[Row]) -> BatchPrediction:
            return self.predict_batch(rows=rows, model_name=model_name, explain=explain)

        answer = answered(table, contract, ask)
        if out is not None:
            table.write(Path(out), answer_columns(answer))
        return answer

    def _predict_page(self, field: str, start: int, body: dict[str, Any], query: dict[str, Any]) -> BatchPrediction:
        try:
            return decode(BatchPrediction, self.transport.call("POST", "/predict/batch", body, query, safe=True))
        except Invalid as error:
            raise renumbered_error(error, field, start) from error


def _explaining(explain: bool | str | int) -> dict[str, Any]:
    """Return the query that asks for explanations; it is empty if nothing is to be explained."""
    if explain is True or explain is False:
        return {"explain": "true"} if explain else {}
    label = str(explain)
    return {"explain": f'"{label}"' if label in ("", "true", "false") else label}


def _together(answers: Sequence[BatchPrediction]) -> list[Explanation | None] | None:
    """Return the explanations of all pages; None if the model's answers have none."""
    found: list[Explanation | None] = []
    for answer in answers:
        if answer.explanations is None:
            return None
        found += answer.explanations
    return found
