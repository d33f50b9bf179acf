"""Which groups of people may do what: the text of a parameter, and what follows from it for one person."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from mlops.domain.access import ALL_MODELS, RANK, Grant, Role
from mlops.domain.errors import Forbidden

_RULE = re.compile(rf"(?P<who>.+)=(?P<role>{'|'.join(get_args(Role))})(?::(?P<models>[^=]+))?")
_MODELS = re.compile(r"\*|[^*\x00-\x1f\x7f-\x9f]{1,200}\*?")


@dataclass(frozen=True)
class Rule:
    """What a group may do.

    Attributes:
        who: The name of the group, or an ARN in which `*` stands for any characters.
        role: One of `Role`.
        models: As of `Grant`.
    """

    who: str
    role: Role
    models: tuple[str, ...]

    def matches(self, name: str) -> bool:
        """Return whether `who` is this name, where `*` stands for any characters."""
        return re.fullmatch(".*".join(map(re.escape, self.who.split("*"))), name, re.DOTALL) is not None


def read_rules(parameter: str, text: str) -> tuple[Rule, ...]:
    """Read rules: `data-science=train:churn*,fraud*;ml-admins=admin`. Without names, a rule is for all models.

    Raises:
        ValueError: The text is not valid. Names the parameter and the rule.
    """
    return tuple(_rule(parameter, part.strip()) for part in text.split(";") if part.strip())


def _rule(parameter: str, text: str) -> Rule:
    found = _RULE.fullmatch(text)
    if found is None:
        raise ValueError(
            f"the parameter {parameter} has {text!r}, which is not `group=role` or `group=role:model,model`"
        )
    models = tuple(each.strip() for each in found["models"].split(",")) if found["models"] else ALL_MODELS
    for name in models:
        if not _MODELS.fullmatch(name):
            raise ValueError(
                f"the parameter {parameter} has {name!r}, which is no name of a model, or its beginning and *"
            )
    return Rule(found["who"].strip(), found["role"], models)  # type: ignore[arg-type]


def granted(rules: Iterable[Rule], asked: Role | None, refusal: str) -> Grant:
    """Return what a person may do to whom some rules apply: the highest role, or the one that is asked for.

    The key is for the models of those rules alone that give this role or a higher one, so that no two rules together
    give more than each of them.

    Args:
        rules: The rules that apply.
        asked: A role that is enough; None is the highest.
        refusal: What to say if no rule applies.

    Raises:
        Forbidden: No rule applies, or none gives the role that is asked for.
    """
    held = list(rules)
    if not held:
        raise Forbidden(refusal)
    highest = max((rule.role for rule in held), key=RANK.__getitem__)
    role = asked or highest
    if RANK[role] > RANK[highest]:
        raise Forbidden(f"You asked for a key with the role {role!r}, and may have {highest!r} at most")
    names = [name for rule in held if RANK[rule.role] >= RANK[role] for name in rule.models]
    return Grant(role, ALL_MODELS if "*" in names else tuple(dict.fromkeys(names)))
