"""GNU's OpenMP library, which LightGBM's wheel needs and does not bring."""

import ctypes
import sys
from importlib.util import find_spec
from pathlib import Path

LIBRARY = "libgomp.so.1"


def load() -> None:
    """Load the system's library, or where there is none the one in torch's wheel: slim images and small Debians.

    Call before LightGBM is imported, which then finds by its name what is loaded.
    """
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        torch = find_spec("torch")
        for folder in (torch and torch.submodule_search_locations) or ():
            if (bundled := Path(folder) / "lib" / LIBRARY).exists():
                ctypes.CDLL(str(bundled))
