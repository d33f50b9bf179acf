"""Table rows as a coded matrix, and back: what the model types train on, and what callers and the proof speak of.

The exported graph does the same from `numbers` and `categories` (`coded_inputs`); this is the trained model's own way,
so that the proof compares two ways of which neither uses the other.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from mlops_contract import ColumnType, Contract
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_contract.dates import REFERENCE_DATE, SECONDS_PER_DAY, date_parts
from trainer.data import Feature

Columns = Mapping[str, Sequence[object] | np.ndarray]
"""Whole columns by name: float64 with NaN for numbers, booleans and datetimes (seconds in UTC), text or None else."""
ML_OPSET = 5


def code(contract: Contract, features: Sequence[Feature], columns: Columns) -> np.ndarray:
    """Return the coded matrix, float32 `[n, features]`, of whole columns."""
    numbers: list[np.ndarray] = []
    categories: list[np.ndarray] = []
    for column in sorted(contract.columns, key=lambda column: column.position):
        values = columns[column.name]
        if column.type is ColumnType.STRING:
            levels = features[contract.numbers + column.position].levels or ()
            places = {level: float(place) for place, level in enumerate(levels)}
            other = float(len(levels))
            categories.append(
                np.array([np.nan if value in (None, column.null_token) else places.get(value, other) for value in values])
            )
        elif column.type is ColumnType.DATETIME:
            numbers.extend(date_parts(np.asarray(values, np.float64)).T)
        else:
            numbers.append(np.asarray(values, np.float64))
    return np.column_stack([*numbers, *categories]).astype(np.float32)


def decode(contract: Contract, features: Sequence[Feature], coded: np.ndarray) -> dict[str, Sequence[object] | np.ndarray]:
    """Return whole columns whose codes are `coded`. A rare or unseen value becomes a text that is not a level."""
    columns: dict[str, Sequence[object] | np.ndarray] = {}
    for column in contract.columns:
        if column.type is ColumnType.STRING:
            position = contract.numbers + column.position
            levels = features[position].levels or ()
            texts = (*levels, unseen(levels))
            columns[column.name] = [None if np.isnan(value) else texts[int(value)] for value in coded[:, position]]
        elif column.type is ColumnType.DATETIME:
            days, _month, _weekday, hours = coded[:, list(column.positions)].astype(np.float64).T
            columns[column.name] = np.round(REFERENCE_DATE.timestamp() + days * SECONDS_PER_DAY + hours * 3600)
        else:
            columns[column.name] = coded[:, column.position].astype(np.float64)
    return columns


def unseen(levels: Sequence[str]) -> str:
    """Return a text that is not one of the levels."""
    text = "a value that is not in the data"
    while text in levels:
        text += "!"
    return text


def with_coding(model: onnx.ModelProto, contract: Contract, features: Sequence[Feature]) -> onnx.ModelProto:
    """Put the coding in front of a model whose input is the coded matrix `inputs`, and return the whole."""
    graph = model.graph
    nodes, parts, inputs, constants = [], [], [], []
    if contract.numbers:
        inputs.append(helper.make_tensor_value_info(NUMBERS, TensorProto.FLOAT, ["n", contract.numbers]))
        parts.append(NUMBERS)
    if contract.categories:
        inputs.append(helper.make_tensor_value_info(CATEGORIES, TensorProto.STRING, ["n", contract.categories]))
        tokens = {column.position: column.null_token for column in contract.columns if column.type is ColumnType.STRING}
        for position in range(contract.categories):
            levels = features[contract.numbers + position].levels or ()
            constants.append(helper.make_tensor(f"coding.place_{position}", TensorProto.INT64, [1], [position]))
            text, coded = f"coding.text_{position}", f"coding.code_{position}"
            nodes.append(helper.make_node("Gather", [CATEGORIES, constants[-1].name], [text], axis=1))
            nodes.append(
                helper.make_node(
                    "LabelEncoder",
                    [text],
                    [coded],
                    domain="ai.onnx.ml",
                    keys_strings=[*levels, tokens[position]],
                    values_floats=[*map(float, range(len(levels))), float("nan")],
                    default_float=float(len(levels)),
                )
            )
            parts.append(coded)
    nodes.append(helper.make_node("Concat", parts, ["inputs"], axis=1))
    kept = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.node.extend([*nodes, *kept])
    graph.input.extend(inputs)
    graph.initializer.extend(constants)
    domains = {entry.domain: entry for entry in model.opset_import}
    if "ai.onnx.ml" not in domains:
        model.opset_import.append(helper.make_opsetid("ai.onnx.ml", ML_OPSET))
    return model
