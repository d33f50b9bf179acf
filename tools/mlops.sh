#!/bin/sh
# `mlops` of this checkout, as .venv/bin/mlops: the checkout is the folder that has this .venv. Without another login it
# uses the local stack.
root=$(cd "$(dirname "$0")/../.." && pwd)
MLOPS_LOCAL_ENV="${MLOPS_LOCAL_ENV:-$root/.local/env}"
PYTHONPATH="$root/client:$root/layers/core/python${PYTHONPATH:+:$PYTHONPATH}"
export MLOPS_LOCAL_ENV PYTHONPATH
exec "$root/.venv/bin/python" -m mlops_client "$@"
