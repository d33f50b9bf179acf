"""MLflow's own application behind the tracking function's limits, on SQLite in the current folder.

In a process of its own, because MLflow's server keeps its settings in the process. Without an argument it reads an
event of API Gateway per line and writes the answer as a line. With a port it serves HTTP, as the local stack does.
"""

import importlib
import json
import os
import sys
import types

os.environ |= {"ARTIFACT_BUCKET": "artifacts", "AWS_DEFAULT_REGION": "us-east-1"}
store = types.ModuleType("tracking.store")
store.store_uri = lambda: "sqlite:///mlflow.db"  # type: ignore[attr-defined]
sys.modules["tracking.store"] = store

if len(sys.argv) > 1:
    import uvicorn

    from infra.local.guard.identity import with_identity

    server = importlib.import_module("tracking.server")
    uvicorn.run(with_identity(server.application), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
else:
    app = importlib.import_module("tracking.app")
    for line in sys.stdin:
        answer = app.handler(json.loads(line), None)
        print(json.dumps({"status": answer["statusCode"], "body": answer["body"]}), flush=True)
