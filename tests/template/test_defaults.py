"""The defaults that the template, the API, the client and the console have in common."""

import json

from mlops.domain.names import DEFAULT_EXPERIMENT, DEFAULT_MODEL_NAME
from mlops_client.defaults import DEFAULT_MODEL
from tests.support.checkout import checkout_files
from tests.template.reading import TEMPLATE, Document

ROOT = TEMPLATE.parent
FOLDERS = (
    *("benchmarks/", "client/mlops_client/", "console/src/", "functions/", "infra/", "layers/core/python/mlops/"),
    *("tools/", "training_container/trainer/"),
)
SUFFIXES = (".py", ".ts", ".tsx", ".yaml", ".yml", ".json")
WRITTEN = {
    "template.yaml",
    "layers/core/python/mlops/domain/names.py",
    "functions/portal/portal/openapi.json",
    "client/mlops_client/defaults.py",
    "console/src/defaults.json",
}
"""Where the default model's name is written: twice by hand (the first two), and in what is generated from the code."""


def test_the_template_and_the_api_have_the_same_default_model(source: Document) -> None:
    assert source["Parameters"]["DefaultModelName"]["Default"] == DEFAULT_MODEL_NAME


def test_the_client_and_the_console_have_the_apis_defaults() -> None:
    assert DEFAULT_MODEL == DEFAULT_MODEL_NAME
    console = json.loads((ROOT / "console/src/defaults.json").read_text())
    assert console == {"model": DEFAULT_MODEL_NAME, "experiment": DEFAULT_EXPERIMENT}


def test_the_default_models_name_is_written_nowhere_else() -> None:
    # Not what is made from openapi.json and ignored by git, such as the console's types.
    files = [path for path in checkout_files() if str(path) == "template.yaml" or str(path).startswith(FOLDERS)]
    texts = [path for path in files if path.suffix in SUFFIXES]
    written = {str(path) for path in texts if DEFAULT_MODEL_NAME in (ROOT / path).read_text()}
    assert written == WRITTEN
