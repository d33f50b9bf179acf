"""Print the notes of a release from CHANGELOG.md: python tools/release_notes.py v1.2.3

The exit code is 1 if the tag is not the version of pyproject.toml, or if the changelog has no notes for it.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def notes(tag: str, version: str, changelog: str) -> str:
    """Return the section of a version from the changelog.

    Raises:
        ValueError: The tag is not that of the version, or the section is missing or empty; the message has the remedy.
    """
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag} and pyproject.toml says {version}: tag v{version}, or change the version")
    section = re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    if section is None or not section[1].strip():
        raise ValueError(f"CHANGELOG.md has no notes below a heading `## [{version}] - year-month-day`")
    return section[1].strip() + "\n"


def main() -> int:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    try:
        sys.stdout.write(notes(sys.argv[1], version, (ROOT / "CHANGELOG.md").read_text()))
    except ValueError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
