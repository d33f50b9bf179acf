"""Ask the original and the ONNX model the same rows."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime

from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.agreement import TOLERANCE, agreement
from mlops_conversion.errors import CannotConvert, ProofTimeout
from mlops_conversion.limits import PROOF_SECONDS
from mlops_conversion.proof import rows
from mlops_conversion.proof.proof import Check, Kind, Proof
from mlops_conversion.proof.rows import Array, Columns, Question
from mlops_conversion.served_file import asked_in_order, session_of

HELD_OUT_ROWS = 10_000
VARIANTS, FEWEST_VARIANTS = 100, 4
CELLS = 20_000_000
"""Of a wide table fewer variants a column are asked, so that all together have about this many values."""
CELLS_AT_ONCE = 2_000_000
SINGLE_ROWS = 8
NULL_TOKENS = ("", "nan", "None")
"""What encoders that were fitted on missing text have in its place."""
_SHOWN = 300

Ask = Callable[[Columns], Array]
Encode = Callable[[Contract, Columns], Mapping[str, Array]]


class _Refused(Exception):
    """One of the models refused the rows."""


def quantity_scale(quantities: Array) -> float:
    """Return what differences of quantities are measured by: their interquartile range, or their range if that is 0."""
    low, high = np.quantile(quantities, [0.25, 0.75])
    return float(high - low) or float(np.ptp(quantities))


def prove(
    ask: Ask,
    model: bytes | onnxruntime.InferenceSession,
    contract: Contract,
    held_out: Columns,
    *,
    encode: Encode,
    scale: float = 1.0,
    thresholds: Mapping[str, Array] | None = None,
    seconds: float = PROOF_SECONDS,
) -> Proof:
    """Compare the answers of a model and of its ONNX model.

    Args:
        ask: The original: probabilities `[n, classes]`, or predictions `[n]` or `[n, 1]`. It may raise any exception
            for rows that it does not take. It gets the columns as `mlops_conversion.proof.rows.Columns` says.
        model: The ONNX model.
        contract: What is claimed: nulls and unseen values are asked where it allows them.
        held_out: Rows that training did not see; at least one. At most HELD_OUT_ROWS are asked, evenly spread.
        encode: Returns the inputs of the ONNX model for columns, under a contract.
        scale: The interquartile range of the target, for regression.
        thresholds: The thresholds of each column that the model compares with any, for trees.
        seconds: How long the proof may take. It ends at the first question after them, which may be much later if the
            original takes long for one question.

    Raises:
        CannotConvert: The ONNX model does not load.
        ProofTimeout: The proof was not done in `seconds`.
        ValueError: There are no held-out rows.
    """
    if not rows.count(held_out):
        raise ValueError("there are no held-out rows to prove the conversion with")
    columns = rows.rounded(contract, rows.spread(held_out, HELD_OUT_ROWS))
    session = model if not isinstance(model, bytes) else _session(model)
    regression = contract.task is Task.REGRESSION
    comparison = Comparison(ask, session, encode, contract.output, scale if regression else 1.0, seconds)
    tokens = {}
    variants = max(FEWEST_VARIANTS, min(VARIANTS, CELLS // len(contract.columns) ** 2))
    base = rows.complete(contract, columns, variants)
    nullable = [column for column in contract.columns if column.null_ok]
    nulls = [_null(column, base) for column in nullable]
    checks = []
    for column, question, check in zip(nullable, nulls, comparison.checks(contract, base, nulls), strict=True):
        if column.type is ColumnType.STRING:
            check, token = _null_token(comparison, contract, base, question, column, check)
            if token is not None:
                tokens[column.name] = token
        checks.append(check)
    checks.extend(comparison.checks(contract, base, [*_unseen(contract, columns), *_beyond(contract, columns)]))
    proved = Proof(tuple(checks), tokens, TOLERANCE, comparison.scale).narrowed(contract)
    allowed = rows.taken(columns, rows.allowed(proved, columns))
    checks.append(comparison.check(Kind.HELD_OUT, proved, allowed))
    if rows.count(allowed):
        base = rows.complete(proved, allowed, variants)
        checks.extend(comparison.checks(proved, base, list(_numbers(proved, allowed, thresholds or {}))))
        checks.append(comparison.alone(proved, rows.taken(base, slice(SINGLE_ROWS))))
    return Proof(tuple(checks), tokens, TOLERANCE, comparison.scale)


def _session(model: bytes) -> onnxruntime.InferenceSession:
    try:
        return session_of(model, quiet=True)  # a refused row is a result here
    except Exception as error:
        raise CannotConvert(f"the ONNX model does not load: {_reason(error)}") from error


def _null(column: Column, base: Columns) -> Question:
    return Question(Kind.NULL, column.name, rows.nulls(base[column.name]))


def _null_token(
    comparison: "Comparison", contract: Contract, base: Columns, question: Question, column: Column, check: Check
) -> tuple[Check, str | None]:
    """Find the text that says null, if the two models agree on one.

    Args:
        check: What came of the text that the contract has.
    """
    if not check.off:
        return check, column.null_token
    for token in NULL_TOKENS:
        changed = [replace(other, null_token=token) if other is column else other for other in contract.columns]
        (other_check,) = comparison.checks(replace(contract, columns=tuple(changed)), base, [question])
        if not other_check.off:
            return other_check, token
    return check, None


def _unseen(contract: Contract, columns: Columns) -> Iterator[Question]:
    """Ask for text that the column does not have."""
    for column in contract.columns:
        if column.type is ColumnType.STRING and not column.closed:
            kind = Kind.TEXT if column.levels is None else Kind.UNSEEN
            yield Question(kind, column.name, np.array(rows.unseen(column, columns[column.name]), object))


def _beyond(contract: Contract, columns: Columns) -> Iterator[Question]:
    """Ask for numbers beyond the range of each column."""
    for column in contract.columns:
        values = rows.beyond(column, columns[column.name])
        if len(values):
            yield Question(Kind.BEYOND, column.name, values)


def _numbers(contract: Contract, columns: Columns, thresholds: Mapping[str, Array]) -> Iterator[Question]:
    """Ask for each number at its extremes and at the thresholds."""
    for column in contract.columns:
        values = rows.extremes(column, columns[column.name])
        if len(values):
            yield Question(Kind.EXTREME, column.name, values)
    for name, values in rows.points(contract, columns, thresholds):
        yield Question(Kind.THRESHOLD, name, values)


class Comparison:
    """The two models, and how their answers are compared.

    Args:
        ask: The original.
        session: The ONNX model.
        encode: Returns its inputs for columns, under a contract.
        output: The name of its output.
        scale: What differences are measured by.
        seconds: How long the comparison may take.
    """

    def __init__(
        self,
        ask: Ask,
        session: onnxruntime.InferenceSession,
        encode: Encode,
        output: str,
        scale: float,
        seconds: float,
    ) -> None:
        self._ask = ask
        self._session = session
        self._encode = encode
        self._output = output
        self.scale = scale
        self._seconds, self._end = seconds, time.monotonic() + seconds
        self._asked = 0

    def check(self, kind: Kind, contract: Contract, columns: Columns, column: str | None = None) -> Check:
        """Ask both models, and compare."""
        asked = rows.count(columns)
        if not asked:
            return Check(kind, column, 0, 0, 0.0)
        self._begin(kind, column, asked)
        try:
            expected, answers = self._original(columns), self._converted(contract, columns)
        except _Refused as error:
            return Check(kind, column, asked, asked, 0.0, error=str(error))
        return self._compared(kind, columns, expected, answers, column)

    def checks(self, contract: Contract, base: Columns, questions: Sequence[Question]) -> Iterator[Check]:
        """Ask both models, and compare. Many questions are asked at once: a call takes time for each column."""
        most = max(1, CELLS_AT_ONCE // len(contract.columns))
        for group in rows.groups(base, questions, most):
            asked, parts = rows.asked(base, group)
            self._begin(group[0].kind, group[0].column, rows.count(asked))
            try:
                expected, answers = self._original(asked), self._converted(contract, asked)
                fits = len(expected) == len(answers) == rows.count(asked)
            except _Refused:
                fits = False
            if not fits:  # which of them it is comes out alone
                for question, part in zip(group, parts, strict=True):
                    yield self.check(question.kind, contract, rows.taken(asked, part), question.column)
                continue
            for question, part in zip(group, parts, strict=True):
                yield self._compared(question.kind, asked, expected, answers, question.column, part)

    def alone(self, contract: Contract, columns: Columns) -> Check:
        """Ask the ONNX model rows one at a time and together, and compare."""
        number = rows.count(columns)
        try:
            together = self._converted(contract, columns)
            single = [self._converted(contract, rows.taken(columns, slice(at, at + 1))) for at in range(number)]
        except _Refused as error:
            return Check(Kind.SINGLE, None, number, number, 0.0, error=str(error))
        return self._compared(Kind.SINGLE, columns, together, np.concatenate(single), None)

    def _begin(self, kind: Kind, column: str | None, number: int) -> None:
        """Count the rows of the next question. Raises ProofTimeout if there is no time for it."""
        if time.monotonic() > self._end:
            where = f" of the column {column!r}" if column is not None else ""
            raise ProofTimeout(
                f"the proof was not done after {self._seconds:,.0f} seconds: the two models had answered "
                f"{self._asked:,} rows, and the rows of the kind {kind.value!r}{where} were next"
            )
        self._asked += number

    def _original(self, columns: Columns) -> Array:
        try:
            answers = np.asarray(self._ask(columns), np.float64)
        except Exception as error:
            raise _Refused(f"the original: {_reason(error)}") from error
        return answers.reshape(len(answers), -1)

    def _converted(self, contract: Contract, columns: Columns) -> Array:
        try:
            answers = asked_in_order(self._session, self._output, self._encode(contract, columns))
        except Exception as error:
            raise _Refused(f"the ONNX model: {_reason(error)}") from error
        return np.asarray(answers, np.float64)

    def _compared(
        self,
        kind: Kind,
        columns: Columns,
        expected: Array,
        answers: Array,
        column: str | None,
        part: slice | None = None,
    ) -> Check:
        """Compare the answers to rows, or to a part of them."""
        first, last, _ = (part or slice(None)).indices(rows.count(columns))
        asked, expected, answers = last - first, expected[first:last], answers[first:last]
        if expected.shape != answers.shape or len(answers) != asked:
            error = f"the original answers {list(expected.shape)} values, and the ONNX model {list(answers.shape)}"
            return Check(kind, column, asked, asked, 0.0, error=error)
        # Beyond its range a quantity may be of any size, so its own size is the measure.
        sizes = np.where(np.isfinite(expected), np.abs(expected), 0.0)
        scale = np.maximum(self.scale, sizes) if kind in (Kind.EXTREME, Kind.BEYOND) else self.scale
        compared = agreement(expected, answers, scale)
        differences, off = compared.differences, compared.off
        worst = first + int(np.argmax((differences / compared.limits).max(axis=1)))
        return Check(
            kind,
            column,
            asked,
            int(off.sum()),
            float(differences.max()),
            {name: _plain(values[worst]) for name, values in columns.items()} if off.any() else None,
        )


def _reason(error: Exception) -> str:
    """Return an exception in a line. Those of converters hold whole graphs."""
    text = " ".join(str(error.__cause__ or error).split())
    return f"{type(error).__name__}: {text[:_SHOWN]}"


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else f"{value}Z"
    if isinstance(value, np.ndarray):
        return [_plain(float(item)) for item in value]
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    return value
