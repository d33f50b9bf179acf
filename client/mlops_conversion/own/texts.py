"""Steps that count words."""

from typing import Any

from mlops_conversion.errors import CannotConvert

LOCALE = "C.UTF-8"
"""skl2onnx writes en_US.UTF-8, which a small machine does not have; and C does not lower letters beyond ASCII."""
_TOKENS = {r"(?u)\b\w\w+\b": r"[\p{L}\p{N}_]{2,}", r"(?u)\b\w+\b": r"[\p{L}\p{N}_]+"}
"""The token patterns that onnxruntime's regular expressions can say."""
_BEFORE = "do that to the text before the pipeline, and fit the pipeline on the result"


def options(step: Any) -> dict[str, Any]:
    """Return skl2onnx's options for a CountVectorizer or TfidfVectorizer.

    Raises:
        CannotConvert: It cuts text in a way that has no equivalent.
    """
    if step.analyzer not in ("word", "char"):
        shown = step.analyzer if isinstance(step.analyzer, str) else "a function"
        raise CannotConvert(
            f"its analyzer is {shown}, and only 'word' and 'char' are converted; fit it with one of them"
        )
    if step.strip_accents:
        raise CannotConvert(f"it strips accents, which has no equivalent; {_BEFORE}")
    for name in ("preprocessor", "tokenizer"):
        if getattr(step, name) is not None:
            raise CannotConvert(f"it has a {name} of its own, which has no equivalent; {_BEFORE}")
    if step.analyzer == "char":
        return {"locale": LOCALE}
    if step.token_pattern not in _TOKENS:
        raise CannotConvert(
            f"its token_pattern is {step.token_pattern!r}, and only {' and '.join(map(repr, _TOKENS))} are converted; "
            "fit it with one of them"
        )
    return {"locale": LOCALE, "tokenexp": _TOKENS[step.token_pattern]}
