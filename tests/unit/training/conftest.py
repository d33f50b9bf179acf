"""Training's modules as its function has them, its folder on the path."""

import sys

from infra.local.settings import ROOT

sys.path.insert(0, str(ROOT / "functions" / "training"))
