"""Promotion's modules as its function has them, its folder on the path."""

import os
import sys

from infra.local.settings import ROOT

sys.path.insert(0, str(ROOT / "functions" / "promotion"))
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
