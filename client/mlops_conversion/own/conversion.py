"""Convert a model, prove it, and put what is known of it into its file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from mlops_contract import ColumnType, Contract, Task
from mlops_contract.agreement import TOLERANCE
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_contract.decision import SECOND, confidences_of, places_of
from mlops_contract.whole_columns import encode_columns
from mlops_conversion.converted import Converted
from mlops_conversion.errors import CannotConvert, NotProved
from mlops_conversion.limits import PROOF_SECONDS
from mlops_conversion.own import file
from mlops_conversion.own.file import Explaining
from mlops_conversion.own.graph import Graph, Kind, Sums
from mlops_conversion.own.original import Array, Label, Original, plain_labels
from mlops_conversion.own.recognition import recognised
from mlops_conversion.own.source import Columns, Source
from mlops_conversion.proof import Proof, prove, quantity_scale, sentences
from mlops_conversion.proof.prove import NULL_TOKENS
from mlops_conversion.proof.rows import rounded

_SHARE_OFF = 0.001


def convert(
    model: Any,
    data: Any,
    *,
    target: Any = None,
    task: Task | str | None = None,
    labels: Sequence[Label] | None = None,
    example: Any = None,
    observed: bool = True,
    decision_threshold: float | None = None,
    proof_seconds: float = PROOF_SECONDS,
) -> Converted:
    """Convert and prove a model, as `mlops_conversion.convert` says."""
    named = Task(task) if task is not None else None
    original, source = recognised(
        model, data, named, tuple(labels) if labels is not None else None, example, _name(target)
    )
    if named is not None and named is not original.task:
        raise ValueError(f"task is {named.value}, and the model does {original.task.value}; leave it out")
    rows = len(next(iter(source.columns.values())))
    own, original = original.labels, _decided(_labelled(original, labels), decision_threshold)
    truth = None if target is None else _truth(target, original, own, rows)
    answers = _answers(original, source)
    _check_choice(original, source, answers)
    graph, source, sums = _graph(original, source, answers.shape[1])
    proof, session = _proved(graph, original, source, truth, answers, proof_seconds)
    proved = proof.narrowed(source.contract)
    notes = (*source.notes, *sentences(proof, source.contract, "the original"))
    explaining = Explaining(sums, observed)
    return file.described(graph, session, original, source, proved, proof, truth, answers, notes, explaining)


def _name(target: Any) -> str:
    """Return the name of what is predicted: that of a pandas column."""
    name = getattr(target, "name", None)
    return name if isinstance(name, str) and name else "target"


def _labelled(original: Original, labels: Sequence[Label] | None) -> Original:
    """Return the original with the labels that were given."""
    if labels is None:
        return original
    if len(labels) != len(original.labels):
        raise ValueError(f"labels has {len(labels)} entries, and the model has {len(original.labels)} classes")
    return replace(original, labels=plain_labels(list(labels)))


def _decided(original: Original, threshold: float | None) -> Original:
    """Return the original with the decision threshold that was given."""
    if threshold is None:
        return original
    if len(original.labels) != 2 or not 0 < threshold < 1:
        raise ValueError("decision_threshold must be a number between 0 and 1, for a model of two classes")
    if original.decision_threshold not in (None, threshold):
        raise ValueError(
            f"decision_threshold is {threshold:g}, and the model has one of its own, {original.decision_threshold:g}: "
            "leave it out, or give the estimator within the model"
        )
    return replace(original, decision_threshold=threshold, predict=None)


def _truth(target: Any, original: Original, own: Sequence[Label], rows: int) -> Array:
    """Return the true values: the places of the classes, by the given labels or the model's own, or quantities."""
    values = np.asarray(target).reshape(-1)
    if len(values) != rows:
        raise ValueError(f"target has {len(values)} values, and data has {rows} rows")
    if original.task is Task.REGRESSION:
        quantities = values.astype(np.float64)
        if not np.isfinite(quantities).all():
            raise ValueError("target has values that are no finite numbers; leave these rows out of data and target")
        return quantities
    places = {label: place for named in (own, original.labels) for place, label in enumerate(named)}
    if values.dtype == bool and not places.keys() & {"false", "true"}:
        values = values.astype(int)
    found = plain_labels(values.tolist())
    unknown = [label for label in found if label not in places]
    if unknown:
        shown = ", ".join(map(repr, original.labels[:10]))
        raise ValueError(
            f"target has the value {unknown[0]!r}, which is no class of the model; its classes are {shown}"
        )
    return np.array([places[label] for label in found], np.int64)


def _answers(original: Original, source: Source) -> Array:
    """Return the original's answers to the given rows, float64 `[n, classes]` or `[n, 1]`."""
    try:
        answers = np.asarray(original.ask(source.rebuild(rounded(source.contract, source.columns))), np.float64)
    except CannotConvert:
        raise
    except Exception as error:  # whatever a library raises for rows that it does not take
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"the model does not answer the rows of data ({type(error).__name__}: {reason}); leave out those that it "
            "does not take, such as rows with missing values"
        ) from error
    return answers.reshape(len(answers), -1)


def _check_choice(original: Original, source: Source, answers: Array) -> None:
    """Check that the model itself chooses as the platform does: the most probable class, or by its threshold.

    Raises:
        CannotConvert: It chooses others.
    """
    if original.predict is None:
        return
    chosen = original.predict(source.rebuild(rounded(source.contract, source.columns)))
    if original.decision_threshold is None:
        behind = answers.max(axis=1) - confidences_of(answers, chosen)
    else:
        others = chosen != places_of(answers, original.decision_threshold)
        behind = np.where(others, np.abs(answers[:, SECOND] - original.decision_threshold), 0)
    off = int((behind > 2 * TOLERANCE).sum())
    if off > _SHARE_OFF * len(answers):
        raise CannotConvert(
            f"the model's predict and predict_proba disagree: for {off} of {len(answers)} rows it chooses a class that "
            "is not the most probable one, and the platform answers with the most probable one, or by a threshold. "
            "Instead of SVC(probability=True) use CalibratedClassifierCV(SVC()); for a threshold use "
            "FixedThresholdClassifier, or give decision_threshold"
        )


def _graph(original: Original, source: Source, outputs: int) -> tuple[onnx.ModelProto, Source, Sums | None]:
    """Write the graph, and narrow the columns to those that it uses."""
    graph, model = _written(original, source, outputs)
    needed = {name for node in model.graph.node for name in node.input}
    wires = {wire.column: wire.name for wire in source.wires(Graph())}
    used = {name for name, wire in wires.items() if wire in needed} if not source.tensor else None
    contract = _known(source, graph.levels, used)
    if contract != source.contract:
        dropped = [column.name for column in source.contract.columns if used is not None and column.name not in used]
        notes = (f"the model does not use the columns {', '.join(dropped)}: left out",) if dropped else ()
        source = replace(source, contract=contract, notes=(*source.notes, *notes))
        graph, model = _written(original, source, outputs)
    return model, source, graph.sums


def _written(original: Original, source: Source, outputs: int) -> tuple[Graph, onnx.ModelProto]:
    graph = Graph()
    result = original.write(graph, source.wires(graph), source.missing)
    if source.tensor:
        graph.sums = None  # without names there are no columns to explain
    sizes = {
        NUMBERS: (Kind.FLOAT, source.contract.numbers),
        CATEGORIES: (Kind.TEXT, source.contract.categories),
    }
    inputs = {name: size for name, size in sizes.items() if size[1]}
    return graph, graph.to_model(inputs, result, source.contract.output, outputs)


def _known(source: Source, levels: dict[str, tuple[str, ...]], used: set[str | None] | None) -> Contract:
    """Return the contract with the columns that are used, and the text that the model knows of each."""
    columns, positions = [], {True: 0, False: 0}
    for column in source.contract.columns:
        if used is not None and column.name not in used:
            continue
        text = column.type is ColumnType.STRING
        if text and levels.get(column.name):
            values = [value for value in source.columns[column.name] if value is not None]
            counts = Counter(values)
            known = sorted(levels[column.name], key=lambda level: -counts[level])
            taken_texts = {*known, *values}
            token = next((token for token in (column.null_token, *NULL_TOKENS) if token not in taken_texts), None)
            column = replace(column, levels=tuple(known), null_token=token or column.null_token)
        columns.append(replace(column, position=positions[text]))
        positions[text] += column.type.width
    if not columns:
        raise CannotConvert("the model uses no column of data; fit it on columns that tell rows apart")
    return replace(source.contract, columns=tuple(columns))


def _proved(
    graph: onnx.ModelProto, original: Original, source: Source, truth: Array | None, answers: Array, seconds: float
) -> tuple[Proof, Any]:
    """Prove the graph. Raises NotProved, ProofTimeout."""
    session = file.session_of(graph.SerializeToString(deterministic=True))
    held_out: Columns = {column.name: source.columns[column.name] for column in source.contract.columns}
    scale = 1.0
    if original.task is Task.REGRESSION:
        scale = quantity_scale(answers if truth is None else truth) or 1.0
    proof = prove(
        lambda columns: original.ask(source.rebuild(columns)),
        session,
        source.contract,
        held_out,
        encode=encode_columns,
        scale=scale,
        thresholds=_thresholds(original, source),
        seconds=seconds,
    )
    if not proof.passes():
        raise NotProved(
            f"the converted model answers otherwise than the original: {proof.disagreement()}. {_remedy(proof)}",
            proof.to_document(),
        )
    return proof, session


def _thresholds(original: Original, source: Source) -> dict[str, Array]:
    names = [column.name for column in source.contract.columns]
    compared = original.thresholds()
    types = {column.name: column.type for column in source.contract.columns}
    numbers = (ColumnType.DOUBLE, ColumnType.LONG)
    return {names[place]: values for place, values in compared.items() if types[names[place]] in numbers}


def _remedy(proof: Proof) -> str:
    """Return what is known to help."""
    if not any(check.asked and check.kind.value == "held_out" for check in proof.checks):
        return "Give rows that the model itself answers: without missing values, if it does not take them"
    return (
        "Fit the model on float32 numbers (frame.astype('float32')), without a scaler before trees, and with "
        "OneHotEncoder(sparse_output=False) before XGBoost; then convert it again"
    )
