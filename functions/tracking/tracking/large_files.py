"""Send people to S3 for files that are too large for an answer of Lambda.

MLflow reads a file whole and answers with it. An answer of Lambda has at most 6 MB, and bytes take a third more there.
"""

from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from flask import redirect

from mlops.aws.signed_addresses import signing_s3

LARGEST_BYTES = 4_400_000
SECONDS = 900
"""How long an address holds."""

Send = Callable[[Any, str], Any]


def use() -> None:
    """Let MLflow redirect to S3 instead of answering with large files.

    It replaces the private function with which MLflow answers all requests for files; that it exists is checked here.
    """
    # Not above: MLflow's server reads its variables when it is imported, and tracking.server has to set them before.
    from mlflow.server import handlers

    handlers._send_artifact = redirected(handlers._send_artifact, cache(signing_s3))


def redirected(send: Send, s3_client: Callable[[], Any]) -> Send:
    """Wrap MLflow's function, which takes a repository of artifacts and the path of a file in it.

    Args:
        send: MLflow's function.
        s3_client: Returns a client of `signing_s3`; asked for the first file, as most environments never send one.
    """

    def send_or_redirect(repository: Any, path: str) -> Any:
        address = urlsplit(f"{repository.artifact_uri.rstrip('/')}/{path}")
        if address.scheme != "s3":
            return send(repository, path)
        s3, target = s3_client(), {"Bucket": address.netloc, "Key": address.path.lstrip("/")}
        if _size(s3, target) <= LARGEST_BYTES:
            return send(repository, path)
        name = path.rpartition("/")[2].encode("ascii", "ignore").decode().replace('"', "")
        target["ResponseContentDisposition"] = f'attachment; filename="{name}"'
        return redirect(s3.generate_presigned_url("get_object", Params=target, ExpiresIn=SECONDS), 307)

    return send_or_redirect


def _size(s3: Any, target: dict[str, str]) -> int:
    """Return the size in bytes; 0 for what cannot be read, about which MLflow's own answer says more."""
    try:
        return int(s3.head_object(**target)["ContentLength"])
    except ClientError:
        return 0
