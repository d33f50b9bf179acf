"""predict's own environment for a bench: a bucket with a model in it, and the function as Lambda would import it."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.objects import serving
from mlops.domain.names import DEFAULT_MODEL_NAME
from tests.support.serving import Served

ROOT = Path(__file__).parents[1]
BUCKET = "artifacts"


class Bucket:
    """A folder that stands for the bucket; `address` is where it is served."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder, self.address = folder, address

    def promote(self, served: Served) -> None:
        for key, data in served.objects().items():
            file = self.path(key)
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            part.write_bytes(data)
            part.replace(file)  # whole or not at all, as S3 writes

    def path(self, key: str) -> Path:
        return self._folder / BUCKET / key

    def variables(self) -> dict[str, str]:
        """The environment that predict is deployed with, credentials and endpoint included."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "ARTIFACT_BUCKET": BUCKET,
            "DEFAULT_MODEL_NAME": DEFAULT_MODEL_NAME,
            "MODEL_REFRESH_SECONDS": "10",
            "ORT_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT / "layers/core/python"), str(ROOT / "functions/predict"), str(ROOT)]
            ),
        }


@contextlib.contextmanager
def bucket(served: Served) -> Iterator[Bucket]:
    """A bucket in which `served` was promoted."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        found = Bucket(Path(folder), address)
        found.promote(served)
        yield found


def enter(variables: dict[str, str]) -> None:
    """Make this process the function's environment: its variables, and its folders to import from."""
    os.environ.update(variables)
    sys.path[:0] = variables["PYTHONPATH"].split(os.pathsep)
