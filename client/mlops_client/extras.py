"""Packages that only some commands need. They come with an extra of this package."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from mlops_client.errors import MlopsError


def require(packages: Iterable[str], purpose: str, extra: str) -> None:
    """Raise MlopsError that names the extra if one of the packages is not installed.

    Args:
        packages: The names by which they are imported.
        purpose: What needs them, as the beginning of a sentence.
        extra: The extra that installs them.
    """
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError:
            raise MlopsError(f"{purpose} needs {name}: pip install 'mlops-client[{extra}]'") from None
