"""Write the records of the client from openapi.json: dataclasses, by datamodel-code-generator.

python -m tools.client_models            # write client/mlops_client/models.py
python -m tools.client_models --check    # exit 1 if it is not what openapi.json says

The generator gets only the answers that methods of the SDK return, and what they refer to. Each dataclass adds half a
millisecond to the import of the client. Requests need none: they are the signatures of the methods.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OPENAPI = ROOT / "functions/portal/portal/openapi.json"
MODELS = ROOT / "client" / "mlops_client" / "models.py"
ANSWERS = (
    *("Health", "Ready", "TrainAccepted", "Job", "LogLine", "SweepAccepted", "SweepState"),
    *("Experiment", "RunRow", "RunDetail", "Comparison", "Model", "ModelDetail", "Transition"),
    *("PredictResponse", "BatchPredictResponse", "DriftStatus", "DriftHistory"),
)
NAMES = {"PredictResponse": "Prediction", "BatchPredictResponse": "BatchPrediction"}
"""Names of records in the SDK, for schemas with another name."""
BASES = {"Job": "mlops_client.states.HasEnded", "SweepState": "mlops_client.states.HasEnded"}
HEADER = (
    '"""The API\'s answers as frozen records. Generated from openapi.json: change that, then run `make openapi`."""'
)
OPTIONS = (
    *(
        "--input-file-type",
        "openapi",
        "--output-model-type",
        "dataclasses.dataclass",
        "--target-python-version",
        "3.11",
    ),
    *("--frozen-dataclasses", "--keyword-only", "--strict-nullable", "--enum-field-as-literal", "all"),
    *("--use-schema-description", "--use-field-description", "--use-attribute-docstrings", "--use-double-quotes"),
    *("--use-single-line-docstring", "--disable-timestamp", "--formatters", "builtin"),
)


def answers(document: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of `ANSWERS` and of what they refer to, with the fields in the order that the API declares."""
    schemas = document["components"]["schemas"]
    wanted: dict[str, Any] = {}
    waiting = list(ANSWERS)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted[name] = _in_declared_order(schemas[name])
            waiting += _references(schemas[name])
    return {name: wanted[name] for name in sorted(wanted)}


def render() -> str:
    """Return the text of the module."""
    document = json.loads(OPENAPI.read_text())
    document = {"openapi": document["openapi"], "info": document["info"], "paths": {}} | {
        "components": {"schemas": answers(document)}
    }
    with tempfile.TemporaryDirectory() as name:
        source, made = Path(name, "openapi.json"), Path(name, "models.py")
        source.write_text(json.dumps(document))
        maps = "--model-name-map", json.dumps(NAMES), "--base-class-map", json.dumps(BASES)
        files = "--input", str(source), "--output", str(made), "--custom-file-header", HEADER
        subprocess.run([_program("datamodel-codegen"), *files, *maps, *OPTIONS], check=True)
        command = [_program("ruff"), "format", "--stdin-filename", str(MODELS), "-"]
        return subprocess.run(command, input=made.read_text(), check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Write or check the module."""
    text = render()
    if "--check" not in sys.argv:
        MODELS.write_text(text)
        return 0
    if MODELS.read_text() == text:
        return 0
    sys.stderr.write(f"{MODELS.relative_to(ROOT)} is not what openapi.json says: run `make openapi`\n")
    return 1


def _in_declared_order(schema: dict[str, Any]) -> dict[str, Any]:
    """Order the fields: openapi.json sorts its keys, and only the list `required` still has the declared order."""
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    order = [*required, *(name for name in properties if name not in required)]
    return schema | {"properties": {name: properties[name] for name in order}}


def _references(schema: Any) -> Iterator[str]:
    yield from re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema))


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


if __name__ == "__main__":
    sys.exit(main())
