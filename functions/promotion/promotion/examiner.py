"""The process that `promotion.examination` has examine a file: `python -m promotion.examiner`.

Standard input: a line of JSON (placement and limits), then the file's bytes. Standard output: JSON with `refusal`, or
with `manifest` and `latency_ms`.
"""

import json
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any

from mlops.domain.stages import Stage
from mlops.inference.model import ModelRefused
from promotion.examination import Limits, Placement, examine

MEBIBYTE = 1 << 20
SLACK = 64 * MEBIBYTE
"""Above the limit, so that a model that is a little too large is measured and told its size instead of failing."""


def main() -> None:
    # onnxruntime prints on the standard output when some files do not load: the answer has a place of its own.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    request = json.loads(sys.stdin.buffer.readline())
    placement = Placement(**{**request["placement"], "stage": Stage(request["placement"]["stage"])})
    limits = Limits(**request["limits"])
    # What is in memory before a model is, predict has too.
    base = _memory("VmHWM")
    allowed = (limits.memory_mb * MEBIBYTE - base) // 2
    data_limit = _memory("VmData") + allowed + SLACK
    resource.setrlimit(resource.RLIMIT_DATA, (data_limit, data_limit))
    answer = _examined(sys.stdin.buffer.read(), placement, limits, base, allowed)
    with os.fdopen(answers, "w") as output:
        json.dump(answer, output)


def _examined(data: bytes, placement: Placement, limits: Limits, base: int, allowed: int) -> dict[str, Any]:
    try:
        examined = examine(data, placement, limits)
    except ModelRefused as refused:
        reason = str(refused)
        if re.search("alloc|memory", reason, re.IGNORECASE):
            reason += f"; {allowed // MEBIBYTE} MiB of predict's {limits.memory_mb} are there for one model"
        return {"refusal": reason}
    except MemoryError:
        return {"refusal": f"it needs more than the {allowed // MEBIBYTE} MiB that predict has for one model"}
    needed = _memory("VmHWM") - base
    if needed > allowed:
        return {
            "refusal": f"it needs {needed // MEBIBYTE} MiB of memory; of predict's {limits.memory_mb} MiB, "
            f"{allowed // MEBIBYTE} are there for one model, as two have to fit while one replaces the other"
        }
    manifest = examined.manifest.to_json().decode()
    return {"refusal": None, "manifest": manifest, "latency_ms": examined.latency_ms}


def _memory(field: str) -> int:
    """Bytes of this process, as Linux counts them: `VmHWM` is the most it had resident, `VmData` what it has mapped."""
    match = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


if __name__ == "__main__":
    main()
