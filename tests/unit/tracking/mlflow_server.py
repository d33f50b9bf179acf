"""MLflow's own application behind the tracking function's handler, on SQLite in the current folder.

In a process of its own, because MLflow's server keeps its settings in the process. Reads an event of API Gateway per
line, and writes the answer as a line.
"""

import importlib
import json
import os
import sys
import types

os.environ |= {"ARTIFACT_BUCKET": "bucket", "TRAINER_ROLE": "stack-TrainerRole-1A", "AWS_DEFAULT_REGION": "us-east-1"}
store = types.ModuleType("tracking.store")
store.store_uri = lambda: "sqlite:///mlflow.db"  # type: ignore[attr-defined]
sys.modules["tracking.store"] = store

handler = importlib.import_module("tracking.app").handler

for line in sys.stdin:
    answer = handler(json.loads(line), None)
    print(json.dumps({"status": answer["statusCode"], "body": answer["body"]}), flush=True)
