"""The rule for names of models that can be served. Imports only the standard library, because predict imports it.

MLflow accepts almost any text as a model's name. The platform uses the name in S3 keys, message groups of SQS, keys of
DynamoDB, dimensions of CloudWatch metrics and subjects of SNS messages. SQS does not accept spaces, and SNS subjects
and metric dimensions accept ASCII only. Names that follow this rule work everywhere.
"""

import re

PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
RULE = "must have at most 100 letters, digits, '.', '_' or '-', and begin with a letter or digit"

_SERVABLE = re.compile(PATTERN)


def is_servable(name: str) -> bool:
    """Return whether a model of this name can be promoted and asked for predictions."""
    return _SERVABLE.fullmatch(name) is not None


def unservable_reason(name: str) -> str | None:
    """Return why a model of this name cannot be served, with the remedy; None if it can."""
    if is_servable(name):
        return None
    return f"To be served, a model's name {RULE}: rename the model in MLflow"
