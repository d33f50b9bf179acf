"""The contract of a table model: the columns that it was proved to take. It stands in the model's file as JSON."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from mlops_contract.columns import Column, ColumnType

NUMBERS, CATEGORIES = "numbers", "categories"
"""The model's inputs: float32 `[n, numbers]`, where missing is NaN, and string `[n, categories]`. It may lack one."""
PROBABILITIES, PREDICTION = "probabilities", "prediction"
"""The model's output: class probabilities float32 `[n, classes]`, or a quantity float32 `[n, 1]`."""
MAX_COLUMNS = 5000
_LIMITS = ("low", "high")


class ContractError(ValueError):
    """This code cannot use the contract. The message names the field and says what is wrong."""


class Task(StrEnum):
    """What a model predicts: one of several classes, or a quantity."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True)
class Contract:
    """The columns of a table model, in the order of the table, and the name of the column that it predicts.

    Attributes:
        forms: How CSV files write a column, by its name, as `cells.is_form` says; the usual form has none.
    """

    task: Task
    target: str
    columns: tuple[Column, ...]
    forms: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def numbers(self) -> int:
        """The width of the input `numbers`; 0 if the model does not have it."""
        return sum(column.type.width for column in self.columns if column.type is not ColumnType.STRING)

    @property
    def categories(self) -> int:
        """The width of the input `categories`; 0 if the model does not have it."""
        return sum(column.type is ColumnType.STRING for column in self.columns)

    @property
    def output(self) -> str:
        """The name of the model's output."""
        return PREDICTION if self.task is Task.REGRESSION else PROBABILITIES

    @property
    def takes_lists(self) -> bool:
        """Whether a row may also be a list: all columns are numbers, and the list is in the order of the columns."""
        return all(column.type in (ColumnType.DOUBLE, ColumnType.LONG) for column in self.columns)

    def to_document(self) -> dict[str, Any]:
        """Return the contract as a JSON object."""
        columns = []
        for column in self.columns:
            fields = {name: value for name, value in asdict(column).items() if value is not None}
            if column.levels is not None:
                fields["levels"] = list(column.levels)
            columns.append(fields)
        document = {"task": self.task.value, "target": self.target, "columns": columns}
        return {**document, "forms": dict(self.forms)} if self.forms else document

    @classmethod
    def from_document(cls, document: Any) -> "Contract":
        """Read and check a contract. Unknown fields are ignored.

        Raises:
            ContractError: A field is missing, has a wrong type, or does not fit another. There is no other error.
        """
        fields = _object(document, "contract")
        task = fields.get("task")
        if not isinstance(task, str) or task not in list(Task):
            raise ContractError(f"the field contract.task is not one of {', '.join(Task)}")
        columns = fields.get("columns")
        if not isinstance(columns, list) or not 1 <= len(columns) <= MAX_COLUMNS:
            raise ContractError(f"the field contract.columns is not a list of 1 to {MAX_COLUMNS} columns")
        contract = cls(
            Task(task),
            _text(fields, "contract", "target"),
            tuple(_column(column, f"contract.columns[{index}]") for index, column in enumerate(columns)),
            _object(fields.get("forms", {}), "contract.forms"),
        )
        names = [column.name for column in contract.columns]
        if len(set(names)) != len(names):
            raise ContractError("two columns of the contract have the same name")
        _check_positions(contract)
        _check_forms(contract)
        return contract


def _check_forms(contract: Contract) -> None:
    if not contract.forms:
        return
    from mlops_contract.cells import is_form  # few contracts have forms, and predict reads contracts at its start

    types = {column.name: column.type for column in contract.columns}
    for name, form in contract.forms.items():
        if name not in types or not _is_text(form) or not is_form(types[name], form):
            raise ContractError("the field contract.forms has what is no form of a column of the contract")


def _check_positions(contract: Contract) -> None:
    for name, width, is_string in ((NUMBERS, contract.numbers, False), (CATEGORIES, contract.categories, True)):
        columns = [column for column in contract.columns if (column.type is ColumnType.STRING) == is_string]
        taken = sorted(position for column in columns for position in column.positions)
        if taken != list(range(width)):
            raise ContractError(
                f"the columns' positions do not fill the input {name!r} from 0 to {width - 1}, once each"
            )


def _column(value: Any, path: str) -> Column:
    fields = _object(value, path)
    kind = fields.get("type")
    if not isinstance(kind, str) or kind not in list(ColumnType):
        raise ContractError(f"the field {path}.type is not one of {', '.join(ColumnType)}")
    position = fields.get("position")
    if type(position) is not int or position < 0:
        raise ContractError(f"the field {path}.position is not a whole number ≥ 0")
    levels = fields.get("levels")
    if levels is not None and not (isinstance(levels, list) and all(map(_is_text, levels))):
        raise ContractError(f"the field {path}.levels is not a list of text")
    limits = {name: fields[name] for name in _LIMITS if fields.get(name) is not None}
    for name, limit in limits.items():
        if type(limit) not in (int, float) or not abs(limit) <= sys.float_info.max:
            raise ContractError(f"the field {path}.{name} is not a finite number")
    column = Column(
        name=_text(fields, path, "name"),
        type=ColumnType(kind),
        position=position,
        absent_ok=_flag(fields, path, "absent_ok", False),
        null_ok=_flag(fields, path, "null_ok", True),
        closed=_flag(fields, path, "closed", False),
        null_token=_text(fields, path, "null_token") if "null_token" in fields else "",
        levels=tuple(levels) if levels is not None else None,
        **limits,
    )
    _check_closed(column, path)
    return column


def _check_closed(column: Column, path: str) -> None:
    if not column.closed:
        return
    if column.type in (ColumnType.DOUBLE, ColumnType.LONG):
        if column.low is None or column.high is None or column.low > column.high:
            raise ContractError(f"the field {path}.closed is true, and the column has no low that is at most its high")
    elif not (column.type is ColumnType.STRING and column.levels):
        raise ContractError(f"the field {path}.closed is true, and the column has no levels")


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ContractError(f"the field {path} is not an object")
    return value


def _text(fields: Mapping[str, Any], path: str, name: str) -> str:
    value = fields.get(name)
    if not _is_text(value):
        raise ContractError(f"the field {path}.{name} is not text in Unicode")
    return str(value)


def _flag(fields: Mapping[str, Any], path: str, name: str, default: bool) -> bool:
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise ContractError(f"the field {path}.{name} is neither true nor false")
    return value


def _is_text(value: Any) -> bool:
    """Return whether the value is a str that UTF-8 can encode: JSON can contain half of a surrogate pair."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False
