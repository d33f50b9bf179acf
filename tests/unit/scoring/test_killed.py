"""A shard whose process is killed in the middle, and done again: the bytes are those of one that was not killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import parquet

from infra.local.settings import ROOT
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.domain.scoring_plan import InputFile, PlannedPart, ScoringPlan, plan_key
from tests.support.scoring import as_parquet, rows
from tests.support.table_models import served_table
from tests.support.tables import make_table

BUCKET, BATCH_ID, OUTPUT = "artifacts", "batch_" + 20 * "0", "scored/killed/"
COPIES = 100


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables of the job, with an AWS that another process can reach."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    aws = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    folders = ("layers/core/python", "training_container", "client")
    yield {
        **os.environ,
        **aws,
        "ARTIFACT_BUCKET": BUCKET,
        "BATCH_PREDICTIONS_TABLE": "killed",
        "BATCH_PREDICTION_ID": BATCH_ID,
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in folders),
    }
    server.stop()


@pytest.mark.slow
def test_a_killed_shard_is_done_again_with_the_same_bytes(environment: dict[str, str], tmp_path: Path) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    table = BatchPredictionsTable(DynamoTable(make_table("BatchPredictionsTable", "killed")))
    served = served_table()
    s3.put_object(Bucket=BUCKET, Key=served.manifest.key, Body=served.onnx)
    asked = rows(3_000)
    asked[1_234]["plan"] = "silver"
    few = parquet.read_table(pa.BufferReader(as_parquet(asked)))
    file = pa.BufferOutputStream()
    parquet.write_table(pa.concat_tables([few] * COPIES), file, row_group_size=50_000)
    data = file.getvalue().to_pybytes()
    etag = s3.put_object(Bucket=BUCKET, Key="datasets/many.parquet", Body=data)["ETag"]
    plan = ScoringPlan(
        batch_id=BATCH_ID,
        model_name="churn",
        model_version=1,
        model_key=served.manifest.key,
        sha256=served.manifest.sha256,
        output_bucket=BUCKET,
        output_prefix=OUTPUT,
        keep=("customer_id",),
        probabilities=True,
        files=(InputFile(BUCKET, "datasets/many.parquet", len(data), etag),),
        shards=((PlannedPart(0, 0, len(data)),),),
    )
    s3.put_object(Bucket=BUCKET, Key=plan_key(BATCH_ID), Body=plan.to_json())
    command = [sys.executable, "-m", "scoring"]

    def outputs() -> dict[str, bytes]:
        listing = s3.list_objects_v2(Bucket=BUCKET, Prefix=OUTPUT).get("Contents", [])
        return {entry["Key"]: s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in listing}

    killed = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("predictions.parquet")):  # made with the first row group of the answers
        assert killed.poll() is None, "the job has ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert outputs() == {}
    assert not any(shard.done for shard in table.shards(BATCH_ID))

    assert subprocess.run(command, env=environment, check=False).returncode == 0
    again = outputs()
    assert set(again) == {f"{OUTPUT}part-00000.parquet", f"{OUTPUT}rejected/part-00000.parquet"}
    (shard,) = table.shards(BATCH_ID)
    assert (shard.done, shard.rows, shard.rejected) == (True, 3_000 * COPIES, COPIES)

    for key in again:
        s3.delete_object(Bucket=BUCKET, Key=key)
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert outputs() == again, "as a shard that nobody has interrupted"
