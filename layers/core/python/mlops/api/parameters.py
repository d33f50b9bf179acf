"""Parameters of a query that a route does not take, and the names of fields that errors repeat."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from mlops.domain.errors import ValidationFailed

MAX_ERRORS = 20
"""Invalid fields that one answer names."""
MAX_FIELD_NAME = 100
"""Characters of a field's path that an error repeats, because callers choose the names of unknown fields."""


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Refuse parameters that the route does not have: passed over in silence, a misspelled filter returns everything.

    Raises:
        ValidationFailed: There is such a parameter. Names it, and the parameters that there are.
    """
    unknown = sorted(set(given) - set(known))
    if unknown:
        message = f"is not a parameter of this route, which has {', '.join(sorted(known)) or 'none'}"
        raise ValidationFailed.of_fields([(repeated(name) or "query", message) for name in unknown], MAX_ERRORS)


def refuse_several(given: Mapping[str, Sequence[str]]) -> None:
    """Refuse parameters with more than one value: no route takes several, and the last one alone would count.

    Raises:
        ValidationFailed: There is such a parameter. Names it.
    """
    several = sorted(name for name, values in given.items() if len(values) > 1)
    if several:
        message = "is in the query more than once; send it once"
        raise ValidationFailed.of_fields([(repeated(name) or "query", message) for name in several], MAX_ERRORS)


def repeated(name: str) -> str:
    """Return a caller's name of a field as an error repeats it: cut, and empty if it cannot be shown."""
    return name[:MAX_FIELD_NAME] if name.isprintable() else ""
