"""Compare the versions of Python and libraries that a model was logged with with those here, before it is unpickled."""

import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

ENVIRONMENT_FILE, REQUIREMENTS_FILE = "python_env.yaml", "requirements.txt"
LIBRARY = {"sklearn": "scikit-learn", "xgboost": "xgboost", "lightgbm": "lightgbm", "pytorch": "torch"}
"""The package that a flavour's models are made of."""
ALSO_AS = {"xgboost": "xgboost-cpu"}
"""The same package under another name."""


@dataclass(frozen=True)
class Differences:
    """What differs, as "numpy 2.1.0 (here 2.4.6)".

    Attributes:
        grave: What a model may not load with, or answer otherwise.
        slight: What is only worth a remark.
    """

    grave: tuple[str, ...]
    slight: tuple[str, ...]


def differences(folder: Path, flavour: str) -> Differences:
    """Compare a logged model's `python_env.yaml` and `requirements.txt` with this process.

    Another minor version of Python is grave, because pickles of code depend on it, and so is another minor version of
    the library that the model is made of. Other packages, and packages that are not here, are slight: what is really
    needed shows when it is loaded.
    """
    grave: list[str] = []
    slight: list[str] = []
    logged, here = _python(folder), platform.python_version()
    if logged is not None and Version(logged).release[:2] != Version(here).release[:2]:
        grave.append(f"Python {logged} (here {here})")
    for requirement in _requirements(folder):
        wanted = next((each.version for each in requirement.specifier if each.operator == "=="), None)
        installed = _installed(requirement.name)
        if wanted is None or (installed is not None and _public(wanted) == _public(installed)):
            continue
        text = f"{requirement.name} {wanted} ({f'here {installed}' if installed else 'not here'})"
        is_library = requirement.name.lower().replace("_", "-") == LIBRARY[flavour]
        (grave if is_library and not _alike(wanted, installed) else slight).append(text)
    return Differences(tuple(grave), tuple(slight))


def _python(folder: Path) -> str | None:
    """Return the version of Python that the model was logged with, if its files say it."""
    try:
        document = yaml.safe_load((folder / ENVIRONMENT_FILE).read_text())
        text = str(document["python"])
        Version(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, InvalidVersion):
        return None
    return text


def _requirements(folder: Path) -> list[Requirement]:
    """Return the lines of requirements.txt that name packages."""
    try:
        lines = (folder / REQUIREMENTS_FILE).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in lines:
        try:
            found.append(Requirement(line.split("#")[0].strip()))
        except InvalidRequirement:  # an option of pip, an address, an empty line
            continue
    return found


def _installed(name: str) -> str | None:
    for each in (name, ALSO_AS.get(name.lower(), name)):
        try:
            return metadata.version(each)
        except metadata.PackageNotFoundError:
            continue
    return None


def _public(version: str) -> str:
    """Return a version without what an index adds to it, such as +cpu."""
    return version.partition("+")[0]


def _alike(wanted: str, installed: str | None) -> bool:
    """Return whether two versions have the same major and minor number."""
    try:
        return installed is not None and Version(wanted).release[:2] == Version(installed).release[:2]
    except InvalidVersion:
        return False
