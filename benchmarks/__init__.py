"""What `make bench` runs: each module measures one part and writes `benchmarks/results/<part>.json` and `.md`.

Each also runs alone, as `python -m benchmarks.<part>`; so the platform's own packages are put on the path here.
"""

import os
import sys
from pathlib import Path

# onnxruntime otherwise looks up its maker's collector, also while it is measured.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(_ROOT / folder) for folder in ("layers/core/python", "training_container", "client")]
sys.path += [str(folder) for folder in sorted((_ROOT / "functions").iterdir())]
