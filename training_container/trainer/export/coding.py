"""Columns of a table as the coded matrix that model types train on, and back; and the same in the exported graph.

`code` and `with_coding` do the same in two ways of which neither uses the other, so that the proof compares them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from mlops_contract import ColumnType, Contract
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_contract.dates import REFERENCE_DATE, SECONDS_PER_DAY
from mlops_contract.whole_columns import encode_columns
from trainer.data import Feature

Columns = Mapping[str, np.ndarray]
"""Whole columns by name: float64 with NaN for numbers and booleans, datetime64 with NaT, str with None for strings."""
ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 2
"""The first version whose LabelEncoder maps text to floats; later ones do the same."""
CODED = "inputs"
"""The input of a model that takes the coded matrix."""


def code(contract: Contract, features: Sequence[Feature], columns: Columns) -> np.ndarray:
    """Return the coded matrix, float32 `[n, features]`, of whole columns."""
    feeds = encode_columns(contract, columns)
    parts = [feeds[NUMBERS]] if contract.numbers else []
    for position, levels, null in _categories(contract, features):
        codes = {level: float(place) for place, level in enumerate(levels)} | {null: np.nan}
        coded = [codes.get(value, float(len(levels))) for value in feeds[CATEGORIES][:, position]]
        parts.append(np.array(coded, np.float32)[:, None])
    return np.concatenate(parts, axis=1)


def decode(contract: Contract, features: Sequence[Feature], coded: np.ndarray) -> dict[str, np.ndarray]:
    """Return whole columns whose coded matrix is `coded`. A rare or unseen value becomes a text that is no level."""
    columns: dict[str, np.ndarray] = {}
    texts = {position: levels for position, levels, _ in _categories(contract, features)}
    for column in contract.columns:
        if column.type is ColumnType.STRING:
            levels = texts[column.position]
            values = np.array([*levels, unseen(levels, column.null_token), None], object)
            codes = coded[:, contract.numbers + column.position]
            columns[column.name] = values[np.where(np.isnan(codes), len(values) - 1, codes).astype(np.int64)]
        elif column.type is ColumnType.DATETIME:
            days, _month, _weekday, hours = coded[:, list(column.positions)].astype(np.float64).T
            seconds = np.round(REFERENCE_DATE.timestamp() + days * SECONDS_PER_DAY + hours * 3600)
            times = np.where(np.isnan(seconds), 0, seconds).astype(np.int64).astype("M8[s]").astype("M8[us]")
            columns[column.name] = np.where(np.isnan(seconds), np.datetime64("NaT"), times)
        else:
            columns[column.name] = coded[:, column.position].astype(np.float64)
    return columns


def columns_of_the_coded_matrix(contract: Contract) -> np.ndarray:
    """Return the place of the column that each position of the coded matrix is made of, int64 `[features]`."""
    places = np.zeros(contract.numbers + contract.categories, np.int64)
    for place, column in enumerate(contract.columns):
        first = contract.numbers if column.type is ColumnType.STRING else 0
        places[[first + position for position in column.positions]] = place
    return places


def unseen(levels: Sequence[str], null: str) -> str:
    """Return a text that is not one of the levels, nor null."""
    text = "a value that is not in the data"
    while text in levels or text == null:
        text += "!"
    return text


def with_coding(model: onnx.ModelProto, contract: Contract, features: Sequence[Feature]) -> None:
    """Put the coding in front of a model of the coded matrix, in place: it then takes `numbers` and `categories`."""
    inputs, parts, nodes, constants = [], [], [], []
    if contract.numbers:
        inputs.append(helper.make_tensor_value_info(NUMBERS, TensorProto.FLOAT, ["n", contract.numbers]))
        parts.append(NUMBERS)
    if contract.categories:
        inputs.append(helper.make_tensor_value_info(CATEGORIES, TensorProto.STRING, ["n", contract.categories]))
    for position, levels, null in _categories(contract, features):
        place, text, coded = (f"coding_{part}_{position}" for part in ("place", "text", "code"))
        constants.append(helper.make_tensor(place, TensorProto.INT64, [1], [position]))
        nodes.append(helper.make_node("Gather", [CATEGORIES, place], [text], axis=1))
        nodes.append(
            helper.make_node(
                "LabelEncoder",
                [text],
                [coded],
                domain=ML_DOMAIN,
                keys_strings=[*levels, null],
                values_floats=[*map(float, range(len(levels))), float("nan")],
                default_float=float(len(levels)),
            )
        )
        parts.append(coded)
    nodes.append(helper.make_node("Concat", parts, [CODED], axis=1))
    graph = model.graph
    own = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.node.extend([*nodes, *own])
    graph.input.extend(inputs)
    graph.initializer.extend(constants)
    opset = next((opset for opset in model.opset_import if opset.domain == ML_DOMAIN), None)
    if opset is None:
        model.opset_import.append(helper.make_opsetid(ML_DOMAIN, ML_OPSET))
    else:
        opset.version = max(opset.version, ML_OPSET)


def _categories(contract: Contract, features: Sequence[Feature]) -> list[tuple[int, tuple[str, ...], str]]:
    """Return position, levels and the text of null of each column of strings, in the order of the positions."""
    strings = sorted(
        (column for column in contract.columns if column.type is ColumnType.STRING), key=lambda column: column.position
    )
    return [
        (column.position, features[contract.numbers + column.position].levels or (), column.null_token)
        for column in strings
    ]
