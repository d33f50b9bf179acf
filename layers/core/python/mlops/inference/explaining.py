"""Explain the answers of a loaded table model, in predict and in promotion's gate."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops.inference.model import Floats, Model
from mlops_contract.explanations import ENCODED, EXPLAIN_FILE, Explained, Explanation, UnreadableExplanation


class NotExplained(Exception):
    """The file does not explain the model. The message says why."""


@dataclass(frozen=True, eq=False)
class Explainer:
    """Explains the answers of one model. Only answers that are the sum of their parts have any."""

    model: Model
    explanation: Explanation

    def answers(self, feeds: Mapping[str, Any]) -> tuple[Floats, Floats]:
        """Return the model's answers to encoded rows, and the features that they are sums over."""
        answers, encoded = self.model.session.run([self.model.manifest.output.name, ENCODED], feeds)
        return answers, encoded

    def parts(self, row: Floats, answer: Floats, chosen: int) -> Explained | None:
        """Return the parts of an answer, by the contract's columns; None if they do not add up to it.

        Args:
            row: The features, float32 `[features]`.
            answer: What the model has answered, float32 `[classes]` or `[1]`.
            chosen: The place of the class to explain; 0 for a quantity.
        """
        assert self.model.manifest.contract is not None
        if not self.explanation.fits(row, answer):
            return None
        return self.explanation.explain(row, chosen, len(self.model.manifest.contract.columns))


def explanation_of(model: Model, sha256: str, data: bytes) -> Explanation:
    """Read the file that explains a model.

    Args:
        model: The model.
        sha256: The hash that its file states.
        data: The file.

    Raises:
        NotExplained: It is another file, or does not fit the model.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise NotExplained(f"its {EXPLAIN_FILE} has the SHA-256 {found}, and its own has {sha256}")
    assert model.manifest.contract is not None
    if ENCODED not in {entry.name for entry in model.session.get_outputs()}:
        raise NotExplained(f"its file has no output {ENCODED!r} of the features that its answers are sums over")
    try:
        return Explanation.from_bytes(data, len(model.manifest.contract.columns))
    except UnreadableExplanation as error:
        raise NotExplained(f"its {EXPLAIN_FILE} cannot be read: {error}") from error
