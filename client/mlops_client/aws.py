"""What is done with the caller's own AWS credentials: API keys, uploads, and signatures for MLflow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlops_client.errors import BadInput, MlopsError

ROLES = ("predict", "read", "admin")
Signer = Callable[[str, str, bytes, Mapping[str, str]], dict[str, str]]
"""Method, URL, body, headers → the headers to send, signed."""


def needs_signature(uri: str) -> bool:
    """Whether the address is one of API Gateway's, where IAM decides."""
    return ".execute-api." in (urlsplit(uri).hostname or "")


def tracking_uri(stack: str) -> str:
    """MLflow's address, from the stack's outputs. Raises MlopsError."""
    outputs = _outputs(stack)
    if not (found := outputs.get("TrackingUrl")):
        raise MlopsError(f"the stack {stack} has no output TrackingUrl; give --tracking-uri")
    return found


def create_key(stack: str, name: str, role: str) -> str:
    """Make a key and return its value. The role is written first, so that no key works without one.

    Raises BadInput: no such role.
    """
    if role not in ROLES:
        raise BadInput(f"--role {role!r}: wanted {', '.join(ROLES)}")
    outputs = _outputs(stack)
    gateway = _boto3().client("apigateway")
    key = gateway.create_api_key(name=f"{outputs['StackName']}-{name}", enabled=True)
    _table(outputs).put_item(Item={"key_id": key["id"], "name": name, "role": role})
    gateway.create_usage_plan_key(usagePlanId=outputs["UsagePlanId"], keyId=key["id"], keyType="API_KEY")
    value: str = key["value"]
    return value


def list_keys(stack: str) -> list[dict[str, str]]:
    """key_id, name and role of each key, by name."""
    found: list[dict[str, str]] = []
    start: dict[str, Any] = {}
    table = _table(_outputs(stack))
    while True:
        page = table.scan(**start)
        found += [{field: str(item[field]) for field in ("key_id", "name", "role")} for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return sorted(found, key=lambda each: each["name"])
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def remove_key(stack: str, key_id: str) -> None:
    """Remove a key, then its role. Raises BadInput: there is no such key."""
    outputs = _outputs(stack)
    gateway = _boto3().client("apigateway")
    try:
        gateway.delete_api_key(apiKey=key_id)
    except gateway.exceptions.NotFoundException:
        raise BadInput(f"there is no key {key_id!r}; `mlops keys list` shows them") from None
    _table(outputs).delete_item(Key={"key_id": key_id})


def upload(stack: str, path: Path) -> str:
    """Put a data set into the platform's bucket and return its s3:// address.

    The content's hash is part of the address: a run's data set never changes under it.

    Raises BadInput: the file cannot be read, or is of no kind the trainer knows. Raises MlopsError.
    """
    if not path.name.lower().endswith((".csv", ".csv.gz", ".npz")):
        raise BadInput(f"{path}: the trainer reads .csv, .csv.gz and .npz")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    bucket = _outputs(stack)["ArtifactBucketName"]
    key = f"datasets/{hashlib.sha256(content).hexdigest()[:12]}/{path.name}"
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _boto3().client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    except (BotoCoreError, ClientError) as error:
        raise MlopsError(f"{path.name} was not taken: {error}") from None
    return f"s3://{bucket}/{key}"


def signer(region: str | None = None) -> Signer:
    """Signs requests to API Gateway with the caller's credentials. Raises MlopsError: there are none."""
    boto3 = _boto3()
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    session = boto3.Session(region_name=region)
    credentials = session.get_credentials()
    if credentials is None:
        raise MlopsError("no AWS credentials: sign in to AWS first (aws sso login, or AWS_PROFILE)")

    def sign(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        region = (urlsplit(url).hostname or "").split(".execute-api.")[1].split(".")[0]
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
        return dict(request.headers)

    return sign


def _outputs(stack: str) -> dict[str, str]:
    boto3 = _boto3()
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        raise MlopsError(f"the stack {stack}: {error.response['Error']['Message']}; name it with --stack") from None
    except BotoCoreError as error:
        raise MlopsError(
            f"AWS cannot be asked: {error} Sign in to AWS first (AWS_PROFILE, AWS_REGION); "
            "for the local stack: set -a; . .local/env; set +a"
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _table(outputs: dict[str, str]) -> Any:
    return _boto3().resource("dynamodb").Table(outputs["AccessKeysTableName"])


def _boto3() -> Any:
    try:
        import boto3
    except ImportError:
        raise MlopsError("this needs boto3: pip install 'mlops-client[aws]'") from None
    return boto3
