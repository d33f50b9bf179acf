"""Pin the packages that run on AWS by hash: a file for each place where code runs, for `pip install --require-hashes`.

python -m tools.pins UV writes them with the program UV, in the versions of constraints.txt. It asks the index that uv
is set up for (UV_INDEX_URL).
"""

import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PLACES = {
    "web": "layers/web",
    "tokens": "layers/tokens",
    "inference": "layers/inference",
    "tracking": "functions/tracking",
    "training": "training_container",
}
"""The folder of each dependency group that runs on AWS."""
FILE = "packages.txt"
BY_INDEX = {"torch"}
"""Its build is that of the index it comes from, so one hash would fit one index only."""
_HEADER = (
    "# Made by `make pins`, from pyproject.toml and constraints.txt. pip refuses any other file of these versions.\n"
)


def main(uv: str) -> int:
    """Write the files; returns the exit code."""
    for group, folder in PLACES.items():
        (ROOT / folder / FILE).write_text(_HEADER + _compiled(uv, "\n".join(map(str, wanted(group)))))
    return 0


def wanted(group: str) -> list[Requirement]:
    """Return what a dependency group asks for, without what is not pinned by hash."""
    ranges = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][group]
    return [each for each in map(Requirement, ranges) if each.name not in BY_INDEX]


def _compiled(uv: str, requirements: str) -> str:
    """Return the packages with all that they need, for each system and Python that is supported, with hashes."""
    options = ["--constraint", "constraints.txt", "--universal", "--python-version", "3.11", "--generate-hashes"]
    command = [uv, "pip", "compile", *options, "--no-header", "--no-annotate", "--quiet", "-"]
    return subprocess.run(command, cwd=ROOT, input=requirements, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
