"""The sizes of the images' packages: what is installed, what the builds remove, and what is largest of the rest.

python -m benchmarks.images

No container engine is needed: the packages are those of this environment in the versions of the images' pins.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import installed, machine
from infra.local.settings import ROOT

MB = 1e6
LARGEST = 12
IMAGES: dict[str, tuple[set[str], Callable[[Path], None]]] = {
    "training": (installed.training_packages(), installed.remove_unused),
    "tracking": (installed.tracking_packages(), installed.remove_tests),
}


def main() -> None:
    """Measure both images, and write the results."""
    result: dict[str, Any] = {"machine": machine.describe("torch", "mlflow", "pyarrow"), "images": {}}
    for name, (packages, remove) in IMAGES.items():
        (ROOT / "build").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
            result["images"][name] = measured(packages, remove, Path(folder))
    machine.write("images", "The images' packages", result, tables(result))
    print((machine.RESULTS / "images.md").read_text())


def measured(packages: set[str], remove: Callable[[Path], None], folder: Path) -> dict[str, Any]:
    """Return the megabytes before and after the removals, those of bytecode among them, and those of each package."""
    installed.link(packages, folder)
    before = installed.size(folder)
    remove(folder)
    each = {path.name: installed.size(path) / MB for path in folder.iterdir() if path.is_dir()}
    return {
        "installed_mb": before / MB,
        "kept_mb": installed.size(folder) / MB,
        "bytecode_mb": sum(path.stat().st_size for path in folder.rglob("*.pyc")) / MB,
        "packages_mb": dict(sorted(each.items(), key=lambda item: -item[1])),
    }


def tables(result: dict[str, Any]) -> str:
    """Return the tables of the results."""
    images = result["images"]
    heading = (
        "Megabytes of the packages alone, without the base image: as pip installs them, and as the image keeps them.\n"
    )
    columns = ("installed_mb", "kept_mb", "bytecode_mb")
    rows = [[name, *(each[column] for column in columns)] for name, each in images.items()]
    parts = [heading, machine.table(["", "installed, MB", "kept, MB", "of it bytecode, MB"], rows)]
    for name, each in images.items():
        largest = [[package, size] for package, size in list(each["packages_mb"].items())[:LARGEST]]
        parts += [f"## The largest of {name}\n", machine.table(["", "MB"], largest)]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
