"""Chromium for the console's tests, and axe-core; each found, or fetched, or the test skipped with a reason.

Debian's chromium is installed only where `tests.debian` may: a test run changes nobody's machine.
"""

from pathlib import Path

import pytest

from tests import debian
from tools.screenshots.browser import find_browser

CONSOLE = Path(__file__).parents[2] / "console"
AXE = CONSOLE / "node_modules" / "axe-core" / "axe.min.js"


def find_chromium() -> str:
    """The machine's own Chromium; skips the test where there is none."""
    found = find_browser()
    if found:
        return found
    problem = debian.install("chromium")
    found = find_browser()
    if found is None:
        pytest.skip(f"no Chromium here (Debian: apt-get install chromium): {problem}")
    return found


def find_axe() -> str:
    """axe-core's source, one of the console's packages; skips the test where they are not installed."""
    if not AXE.exists():
        pytest.skip("axe-core is not here: make console-check installs it")
    return AXE.read_text()
