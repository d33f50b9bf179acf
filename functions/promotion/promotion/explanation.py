"""The check `explanations`: the file beside a model explains its answers exactly.

The model's file states the hash of the other one, so both are bound together.
"""

from collections.abc import Callable
from dataclasses import replace

from mlops.domain.model_description import Explanations
from mlops.domain.transition import GateResult
from mlops.inference.explaining import Explainer, NotExplained, explanation_of
from mlops.inference.model import Model, brief
from mlops.inference.table_rows import generated_table_rows
from mlops_contract.explanations import EXPLAIN_FILE

KINDS_OF_ROWS = 4
"""Of those that are generated: the others are beyond what training has seen."""
EXPLAINED_ROWS = 10
"""Of each kind."""
REMEDY = "train the model again, and promote the new version"


def explained(
    model: Model, stated: Explanations | None, find: Callable[[str], bytes | None]
) -> tuple[Explanations | None, str]:
    """Return what the manifest says of a model's explanations, and what is wrong with its file, or "".

    Args:
        model: The model, as predict loads it.
        stated: What its file states.
        find: Returns the file with a hash; another one if there is only that.
    """
    if stated is None or stated.sha256 is None:
        return stated, ""
    data = find(stated.sha256)
    problem = _problem(model, stated.sha256, data)
    return (Explanations(reason=problem), problem) if problem else (replace(stated, size=len(data or b"")), "")


def explanation_result(stated: Explanations | None, problem: str, *, admitted: bool) -> GateResult:
    """Return the result of the check.

    Args:
        stated: What the manifest says.
        problem: What is wrong with the file.
        admitted: Whether the version was admitted before. It then goes on serving, without explanations.
    """
    if problem:
        return GateResult("explanations", admitted, problem if admitted else f"{problem}: {REMEDY}")
    if stated is None:
        return GateResult("explanations", True, "the file says nothing of explanations")
    if stated.reason is not None:
        return GateResult("explanations", True, f"its answers are not explained: {stated.reason}")
    return GateResult("explanations", True, "the parts of its answers add up to them")


def _problem(model: Model, sha256: str, data: bytes | None) -> str:
    if data is None:
        return f"there is no {EXPLAIN_FILE}"
    try:
        explainer = Explainer(model, explanation_of(model, sha256, data))
    except NotExplained as error:
        return str(error)
    assert model.encoder is not None
    for name, rows in list(generated_table_rows(model.encoder.contract))[:KINDS_OF_ROWS]:
        try:
            answers, encoded = explainer.answers(model.encoder.encode(rows[:EXPLAINED_ROWS]).feeds)
            off = sum(
                explainer.parts(row, answer, int(answer.argmax())) is None
                for row, answer in zip(encoded, answers, strict=True)
            )
        except Exception as error:  # onnxruntime raises errors of many types, and so may arrays that do not fit
            return f"its answers to {name} cannot be explained ({brief(error)})"
        if off:
            return f"the parts of {off} of {EXPLAINED_ROWS} answers to {name} do not add up to them"
    return ""
