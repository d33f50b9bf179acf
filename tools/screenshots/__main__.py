"""Take the pictures of docs/pictures from the stack that `make demo` has started: python -m tools.screenshots

It adds runs, versions and predictions to that stack.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from infra.local.api import Api
from infra.local.environment import read_env
from infra.local.held_out import held_out
from infra.local.settings import ROOT, Settings
from tools.screenshots.browser import find_browser
from tools.screenshots.console import JOBS, VIEWS, console
from tools.screenshots.scene import EXPERIMENT, MODEL, Scene
from tools.screenshots.terminal import mlops, svg

PICTURES = ROOT / "docs" / "pictures"
SWEEP = ("sweep", "--num-runs", "6", "--epochs", "20", "--experiment", EXPERIMENT, "--stage", "Production")


def main() -> int:
    """Take all pictures again; the exit code is 1, with a remedy, if something is missing."""
    browser = find_browser()
    if browser is None:
        return fail("there is no Chromium on this machine: apt-get install chromium")
    settings = Settings.from_environment()
    variables = read_env(settings.env_file)
    if not variables:
        return fail(f"{settings.env_file} is missing: `make demo` starts the stack that the pictures are taken from")
    url, key = variables["MLOPS_API_URL"], variables["MLOPS_API_KEY"]
    scene = Scene(settings, Api(url, key))
    PICTURES.mkdir(exist_ok=True)
    sign_in = {"MLOPS_API_URL": url, "MLOPS_API_KEY": key, "PYTHONPATH": str(ROOT / "client")}

    keep("sweep.svg", svg("sweep", mlops(sign_in, *SWEEP)))
    scene.staging()
    scene.traffic()
    keep("lists.svg", svg("lists", mlops(sign_in, "runs", EXPERIMENT, "--limit", "5"), mlops(sign_in, "history")))
    with tempfile.TemporaryDirectory() as folder:
        pixels = np.array(held_out("digits")[0][:40]).reshape(-1, 28, 28)
        np.save(Path(folder) / "digits.npy", (255 * pixels).astype(np.uint8))
        asked = ("predict", "digits.npy", "--first", "4", "--count", "2", "--model", MODEL)
        keep("predict.svg", svg("predict", mlops(sign_in, *asked, cwd=Path(folder))))
    with console(browser, url, key) as picture:
        for view in VIEWS:
            keep(f"{view.name}.png", picture(view))
        sweep_id = scene.running()
        keep(f"{JOBS.name}.png", picture(JOBS))
    mlops(sign_in, "cancel", sweep_id)
    return 0


def keep(name: str, picture: str | bytes) -> None:
    path = PICTURES / name
    path.write_bytes(picture.encode() if isinstance(picture, str) else picture)
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:.0f} kB", flush=True)


def fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
