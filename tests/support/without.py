"""Processes in which packages cannot be imported, as in an image that does not have them."""

import os
from collections.abc import Iterable
from pathlib import Path

_HOOK = """
import os, sys
from importlib.machinery import PathFinder

NAMES = set(os.environ["WITHOUT"].split(","))
FOLDERS = set(os.environ["WITHOUT_FOLDERS"].split(",")) - {""}


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)
        if FOLDERS & set(name.split(".")):
            spec = PathFinder.find_spec(name, path)
            folders = spec.origin.split("site-packages/")[-1].split("/")[:-1] if spec and spec.origin else ()
            if FOLDERS & set(folders) and "site-packages" in spec.origin:
                raise ModuleNotFoundError(f"{name} is not in the image", name=name)


sys.meta_path.insert(0, Missing())
"""


def environment_without(packages: Iterable[str], folder: Path, folders: Iterable[str] = ()) -> dict[str, str]:
    """Variables for a process that cannot import these packages, nor what lies in folders of these names.

    `folder` is put first on the path; further ones can be appended to PYTHONPATH.
    """
    (folder / "sitecustomize.py").write_text(_HOOK)
    variables = {"PYTHONPATH": str(folder), "WITHOUT": ",".join(packages), "WITHOUT_FOLDERS": ",".join(folders)}
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
