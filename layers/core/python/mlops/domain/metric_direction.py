"""Decide by a metric's name whether higher or lower is better. MLflow does not record this; the API publishes it.

A name is split into words. If no word shows it, or two contradict each other, the result is None: it is better to mark
no run as the best than a wrong one.
"""

import re
from typing import Literal

Direction = Literal["higher", "lower"]


def _words(name: str) -> list[str]:
    """Return the words of a name in snake_case or camelCase, or with dots or slashes."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


_LOSSES = _words("loss logloss nll brier perplexity ppl entropy crossentropy hinge deviance divergence kl ece")
_ERRORS = _words(
    "error errors err mse rmse msle rmsle mae medae mape smape wape wmape mase difference distance residual regret "
    "fpr fnr fdr eer wer cer false misclassified failures failed"
)
_COSTS = _words(
    "latency duration time ms millis milliseconds sec secs second seconds minutes hours "
    "memory bytes kb mb gb kib mib gib cost price energy"
)
_MERITS = _words(
    "accuracy acc precision recall sensitivity specificity tpr tnr ppv npv true f1 f2 fbeta fscore "
    "auc roc auroc auprc prauc ap map r2 rsquared correlation pearson spearman kappa mcc iou jaccard dice "
    "bleu rouge meteor ndcg mrr hit silhouette likelihood elbo throughput rps qps fps reward psnr ssim "
    "agreement coverage"
)
_LOWER, _HIGHER = frozenset(_LOSSES + _ERRORS + _COSTS), frozenset(_MERITS)
_PHRASES: dict[str, Direction] = {
    "negative_log_likelihood": "lower",
    "model_size": "lower",
    "r_squared": "higher",
    "explained_variance": "higher",
    "explained_variance_score": "higher",
    "score": "higher",
}
"""Names whose single words show nothing, or the opposite."""
_PREFIXES = frozenset(_words("train training val valid validation test eval best final mean avg"))


def direction(metric: str) -> Direction | None:
    """Return `lower` for losses, errors, times and sizes, `higher` for measures of right answers, None if unclear."""
    words = _words(metric)
    bare = "_".join(word for word in words if word not in _PREFIXES)
    if bare in _PHRASES:
        return _PHRASES[bare]
    if "per" in words:  # a rate: what it counts decides, not the unit of time
        words = words[: words.index("per")]
    lower, higher = not _LOWER.isdisjoint(words), not _HIGHER.isdisjoint(words)
    if lower == higher:
        return None
    return "lower" if lower else "higher"
