"""Answer requests to table models: rows of named columns, or lists of numbers in the order of the columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops.domain.errors import ValidationFailed
from mlops.inference.answers import NotFinite
from mlops_contract.rows import Encoded, Feeds, RowEncoder, RowsRefused
from predict.feedback import OWN_ID
from predict.inputs import beyond_the_model
from predict.model_cache import ServedModel
from predict.records import Outcome, Ran
from predict.request import Request, is_printable, refuse_other_than_numbers

if TYPE_CHECKING:
    from predict.explanations import RowExplanations


Rows = tuple[Encoded, Sequence[str], bool]
"""Encoded rows, the callers' ids of them, if they sent some, and whether answers go by the labels' names."""


def rows_of(model: ServedModel, parsed: Request, batch: bool) -> Rows:
    """Encode the rows of a request; `batch` says that it is one for several.

    Raises:
        ValidationFailed: The contract does not allow a value. Names row and column.
    """
    assert model.encoder is not None
    parsed, own = _with_own_ids(parsed, model.encoder, batch)
    # A list of numbers gets a list, as from a model of vectors.
    return _encoded(parsed, model.encoder, batch), own, parsed.source == "row"


def run(model: ServedModel, feeds: Feeds, source: str) -> Ran:
    """Ask the model encoded rows, which came from the field `source`.

    Raises:
        ValidationFailed: The model has no finite answer.
    """
    outputs = model.outputs(feeds)
    try:
        return model.answers.of(outputs), outputs
    except NotFinite:  # numbers so large that the model's arithmetic overflows
        raise beyond_the_model(source) from None


def answer(
    model: ServedModel,
    rows: Rows,
    ran: Ran,
    batch: bool,
    request_id: str,
    explanations: "RowExplanations | None" = None,
) -> tuple[str, Outcome]:
    """Return the response's body, and what is logged.

    Args:
        model: The model.
        rows: The rows.
        ran: What the model has answered.
        batch: Whether the request is one for several rows.
        request_id: The request's id.
        explanations: Explains the answers, if that was asked for.
    """
    (encoded, own, named), (answers, outputs) = rows, ran
    found = outcome(model, encoded.feeds, ran, request_id, own)
    explained = explanations.fields(encoded.feeds, outputs, batch) if explanations else {}
    if batch:
        return model.answers.batch(answers, encoded.warnings, explained), found
    return model.answers.row(answers, encoded.warnings, explained, named=named), found


def outcome(model: ServedModel, feeds: Feeds, ran: Ran, request_id: str, own: Sequence[str] = ()) -> Outcome:
    """Return what is logged of answers, after counting the columns.

    Args:
        model: The model.
        feeds: The rows as its inputs.
        ran: What it has answered.
        request_id: The request's id.
        own: The callers' ids of the rows, if they sent some.
    """
    answers, outputs = ran
    record = model.lines.of_classes(answers, None) if answers.confidences else model.lines.of_quantities(len(outputs))
    counts = model.columns.count(request_id, feeds, outputs) if model.columns is not None else None
    return Outcome(answers, outputs, record, model.keeper.kept(outputs, own), counts)


def _with_own_ids(parsed: Request, encoder: RowEncoder, batch: bool) -> tuple[Request, Sequence[str]]:
    """Take the callers' ids out of rows, if the first row has one that is no column."""
    if parsed.source not in ("row", "rows"):
        return parsed, ()
    rows = parsed.value if batch else (parsed.value,)
    if OWN_ID not in rows[0] or any(column.name == OWN_ID for column in encoder.contract.columns):
        return parsed, ()
    from predict.own_ids import own_ids  # few callers send ids of their own

    without, own = own_ids(parsed.source, rows, batch)
    return parsed._replace(value=without if batch else without[0]), own


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
