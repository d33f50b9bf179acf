"""Which names a model can be served under. Imports the standard library alone, because predict imports it.

MLflow takes almost any text as a model's name. The platform puts the name into an S3 key, the message group of an SQS
queue, keys of DynamoDB, the dimension of a CloudWatch metric and the subject of an SNS message. SQS takes no space, and
SNS subjects and metric dimensions take ASCII only: so the names that work everywhere are those below.
"""

import re

PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
RULE = "must be letters, digits, '.', '_' or '-', at most 100 characters, a letter or digit first"

_SERVABLE = re.compile(PATTERN)


def is_servable(name: str) -> bool:
    """Whether versions of a model of this name can be promoted and asked."""
    return _SERVABLE.fullmatch(name) is not None


def unservable_reason(name: str) -> str | None:
    """Return why no version of the model can be promoted, with the remedy; None where they can."""
    if is_servable(name):
        return None
    return f"To be served, the name {RULE}: rename the model in MLflow"
