"""Who signs in."""

from dataclasses import dataclass

from mlops.domain.errors import Forbidden

MAX_NAME_LENGTH = 100


@dataclass(frozen=True)
class Person:
    """Whoever signs in.

    Attributes:
        owner: The owner of the keys, and their name. Two people have two owners, and nobody has two.
        groups: What rules are compared with.
    """

    owner: str
    groups: tuple[str, ...]


def owner_of(name: str, source: str) -> str:
    """Return the owner that a name stands for. Addresses of e-mail are in lower case.

    Raises:
        Forbidden: It cannot be the name of a key. Names the source.
    """
    if not name or len(name) > MAX_NAME_LENGTH or "/" in name or not name.isprintable():
        raise Forbidden(
            f"{source} is {name[:MAX_NAME_LENGTH]!r}; the name of a key has 1 to {MAX_NAME_LENGTH} printable "
            "characters and no slash"
        )
    return name.lower() if "@" in name else name
