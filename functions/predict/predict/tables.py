"""Answer requests to table models: rows of named columns, or lists of numbers in the order of the columns."""

from typing import Any

import numpy as np

from mlops.domain.errors import ValidationFailed
from mlops.inference.answers import NotFinite, answers_of_table, row_body, rows_body
from mlops_contract.rows import Encoded, RowEncoder, RowsRefused
from predict import records
from predict.column_counts import RowCounts
from predict.inputs import beyond_the_model
from predict.model_cache import ServedModel
from predict.request import Request, is_printable, refuse_other_than_numbers


def answer(model: ServedModel, parsed: Request, batch: bool, request_id: str) -> tuple[str, str, RowCounts | None]:
    """Return the response's body, the part of the log line that depends on the request alone, and the columns' counts.

    Raises:
        ValidationFailed: The contract does not allow a value, or the model has no finite answer. Names row and column.
    """
    manifest = model.manifest
    assert model.encoder is not None
    encoded = _encoded(parsed, model.encoder, batch)
    outputs = model.outputs(encoded.feeds)
    try:
        answers = answers_of_table(manifest, outputs)
    except NotFinite:  # numbers so large that the model's arithmetic overflows
        raise beyond_the_model(parsed.source) from None
    if batch:
        body = rows_body(manifest, answers, encoded.warnings)
    else:
        # A list of numbers gets a list, as from a model of vectors.
        body = row_body(manifest, answers, outputs, encoded.warnings, named=parsed.source == "row")
    counts = model.columns.count(request_id, encoded.feeds, outputs) if model.columns is not None else None
    if manifest.predicts_quantity:
        return body, records.record_of_quantities(manifest, len(outputs)), counts
    return body, records.record(manifest, answers.predictions, answers.confidences, None), counts


def _encoded(parsed: Request, encoder: RowEncoder, batch: bool) -> Encoded:
    source, value = parsed.source, parsed.value
    if source in ("row", "rows"):
        try:
            return encoder.encode(value if batch else (value,), batch=batch)
        except RowsRefused as refused:
            known = {column.name for column in encoder.contract.columns}
            raise ValidationFailed.of_fields(
                (_field(source, refusal.row, refusal.column, batch, refusal.column in known), refusal.message)
                for refusal in refused.refusals
            ) from None
    if source not in ("inputs", "inputs_list") or not encoder.contract.takes_lists:
        raise ValidationFailed.of_field(source, "this model takes rows of named columns; send row or rows instead")
    rows = _rows_of_lists(parsed, encoder, batch)
    try:
        return encoder.encode(rows, batch=batch)
    except RowsRefused as refused:
        order = {column.name: str(index) for index, column in enumerate(encoder.contract.columns)}
        raise ValidationFailed.of_fields(
            (_field(source, refusal.row, order[refusal.column], batch, True), refusal.message)
            for refusal in refused.refusals
        ) from None


def _rows_of_lists(parsed: Request, encoder: RowEncoder, batch: bool) -> list[dict[str, Any]]:
    names = [column.name for column in encoder.contract.columns]
    lists = parsed.value if batch else [parsed.value]
    if isinstance(parsed.value, np.ndarray):
        lists = parsed.value.tolist()
    rows = []
    for index, numbers in enumerate(lists):
        field = f"{parsed.source}.{index}" if batch else parsed.source
        if len(numbers) != len(names):
            raise ValidationFailed.of_field(field, f"has {len(numbers)} numbers; this model takes {len(names)}")
        if not {*map(type, numbers)} <= {int, float}:
            refuse_other_than_numbers(field, numbers)
            raise ValidationFailed.of_field(field, "must be a list of numbers")
        rows.append(dict(zip(names, numbers, strict=True)))
    return rows


def _field(source: str, row: int, column: str, batch: bool, known: bool) -> str:
    """Return the path of a value, without a column's name that the caller made up and that cannot be repeated."""
    place = f"{source}.{row}" if batch else source
    return f"{place}.{column}" if known or is_printable(column) else place
