"""The first answer of a fresh process, ours and its floors. Each is a program of its own, timed from outside."""

import json
import os
import subprocess
import sys
import time
from typing import Any

OURS = """
import json, sys
from predict import app
answer = app.handler(json.loads(sys.argv[1]), None)
print("ANSWER", answer["statusCode"], flush=True)
"""

# What a careful function does that uses AWS's own client: import, make the S3 client, fetch, make the session, answer.
FLOOR = """
import json, os, sys
import numpy, onnxruntime, orjson
import botocore.session
client = botocore.session.get_session().create_client("s3")
data = client.get_object(Bucket=os.environ["ARTIFACT_BUCKET"], Key=os.environ["BENCH_KEY"])["Body"].read()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
pixels = numpy.array(orjson.loads(json.loads(sys.argv[1])["body"])["image"], dtype=numpy.float32).reshape(1, -1)
orjson.dumps({"probabilities": session.run(None, {"inputs": pixels})[0][0].tolist()})
print("ANSWER 200", flush=True)
"""

# The same with the file at hand: what numpy and onnxruntime themselves take, and nothing else.
BARE = FLOOR.replace(
    'import botocore.session\nclient = botocore.session.get_session().create_client("s3")\n', ""
).replace(
    FLOOR[FLOOR.index("data =") : FLOOR.index("options =")], 'data = open(os.environ["BENCH_FILE"], "rb").read()\n'
)

PROGRAMS = {"ours": OURS, "floor": FLOOR, "bare": BARE}


def first_answer(program: str, event: dict[str, Any], variables: dict[str, str]) -> float:
    """Seconds from the start of the process to its answer."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAMS[program], json.dumps(event)],
        env={"PATH": os.environ.get("PATH", ""), "OPENBLAS_NUM_THREADS": "1", **variables},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ANSWER"):
            took = time.perf_counter() - began
            if line.split()[1] != "200":
                raise RuntimeError(f"{program} answered {line}")
            break
    else:
        raise RuntimeError(f"{program} ended without an answer")
    process.stdout.read()
    process.stdout.close()
    process.wait()
    return took
