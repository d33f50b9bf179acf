"""The API's messages in the words of the command line: routes become the commands that do the same."""

from __future__ import annotations

import re

_NAME = r"[^\s/?;,.`]+"
_TRANSITION = re.compile(
    r'POST /models/transition with \{"model_name": "(?P<model>[^"]*)", "version": (?P<version>[^,]+), '
    r'"stage": "(?P<stage>\w+)"\}'
)
_COMMANDS = [
    (rf"GET /train/status/({_NAME})", r"mlops jobs \1"),
    (rf"GET /train/jobs/({_NAME})/logs", r"mlops logs \1"),
    (r"GET /train/jobs\b(?!/)", "mlops jobs"),
    (r"GET /experiments/\{experiment\}/runs/\{run_id\}", "mlops artifacts RUN"),
    (r"GET /experiments\b(?!/)", "mlops experiments"),
    (r"GET /models/\{name\}/history", "mlops history MODEL"),
    (r"GET /models/\{name\}/rollouts", "mlops rollout list --model MODEL"),
    (r"GET /models\b(?!/)", "mlops models"),
    (rf"POST /models/({_NAME})/versions/({_NAME})/restore", r"mlops bin restore \1@\2"),
    (rf"POST /models/({_NAME})/restore", r"mlops bin restore \1"),
    (rf"POST /experiments/({_NAME})/runs/({_NAME})/restore", r"mlops bin restore --experiment \1 --run \2"),
    (rf"POST /experiments/({_NAME})/restore", r"mlops bin restore --experiment \1"),
    (rf"DELETE /models/({_NAME})/versions/({_NAME})", r"mlops delete \1@\2"),
    (r"GET /bin\b", "mlops bin list"),
    (r"GET /datasets\b", "mlops data list"),
    (r"POST /predictions/delete\b", "mlops forget"),
    (r"GET /keys/history", "mlops keys history"),
    (r"GET /model-types\b", "mlops model-types"),
    (r"GET /batch-predictions\b(?!/)", "mlops batch-predictions"),
    (r"GET /webhooks\b(?!/)", "mlops webhooks list"),
    (r"POST /webhooks/\{id\}/test", "mlops webhooks test ID"),
    (rf"GET /drift/status\?model_name=({_NAME})", r"mlops drift \1"),
    (r"GET /drift/status", "mlops drift"),
    (rf"GET /performance/status\?model_name=({_NAME})", r"mlops performance \1"),
    (r"GET /performance/status", "mlops performance"),
    (r"POST /models/transition\b(?! with)", "mlops promote"),
    (r"POST /predict/batch", "mlops predict --batch"),
    (r"POST /session with a new token", "mlops login with --token-stdin or --iam"),
    (r"DELETE /session\b", "mlops logout"),
    (r"POST /feedback\b(?!/)", "mlops feedback"),
    (r"GET /feedback/imports\b(?!/)", "mlops label-imports"),
    (r"POST /feedback/imports\b", "mlops import-labels"),
    (r"upload it first: POST /code says where to", "start the run with `mlops run`, which uploads it"),
]
_SENTENCES = [
    (
        r"The x-api-key header is missing or its key is not valid; ask an operator for a key",
        "the API key is not valid, or not any more: sign in with another one (mlops login), or ask an operator for one",
    ),
    (
        r"There is no such route; GET /docs lists them(?:\. POST /session/iam has to be signed for AWS)?"
        r"|The API has no route \S+ \S+; GET /docs lists the routes",
        "the platform has no such route: it has another version than this client (mlops doctor shows both)",
    ),
]


def in_commands(message: str) -> str:
    """Return a message of the API as people read it who use the command line."""
    for pattern, words in _SENTENCES:
        message = re.sub(pattern, words, message)
    message = _TRANSITION.sub(_promotion, message)
    for pattern, command in _COMMANDS:
        message = re.sub(pattern, command, message)
    return message


def _promotion(found: re.Match[str]) -> str:
    version = found["version"] if found["version"].isdecimal() else "VERSION"
    stage = "" if found["stage"] == "Production" else f" --stage {found['stage']}"
    return f"mlops promote {version} --model {found['model']}{stage}"
