"""The parts of a backup on AWS's services in memory: tables, objects, names that change, hashes."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from mlops_client.errors import BadInput
from mlops_client.operator.backups import files, objects, tables
from mlops_client.operator.backups.addresses import Rewriting
from mlops_client.operator.backups.files import DATABASE, OBJECTS, Manifest, TableFile, read_objects
from mlops_client.operator.backups.objects import PARTS, Objects
from mlops_client.operator.backups.stack import StackResources
from mlops_client.operator.backups.tables import Tables
from tests.support.crashes import Crash
from tests.support.tables import make_table

TABLES = ("AccessKeysTable", "GovernanceTable", "WebhooksTable", *tables.MUST_BE_EMPTY)
PLAIN = Rewriting("old-bucket", "new-bucket")


def stack(name: str) -> StackResources:
    names = {table: f"{name}-{table}" for table in TABLES} | {"ArtifactBucket": f"{name}-bucket"}
    for table in TABLES:
        make_table(table, names[table])
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=names["ArtifactBucket"])
    s3.put_bucket_versioning(Bucket=names["ArtifactBucket"], VersioningConfiguration={"Status": "Enabled"})
    return StackResources(name, f"arn:{name}", names, TABLES)


@pytest.fixture
def old(aws: None) -> StackResources:
    return stack("old")


@pytest.fixture
def new(aws: None) -> StackResources:
    return stack("new")


def put(stack: StackResources, table: str, **item: Any) -> None:
    boto3.client("dynamodb").put_item(TableName=stack[table], Item=item)


def items(stack: StackResources, table: str) -> list[dict[str, Any]]:
    return sorted(boto3.client("dynamodb").scan(TableName=stack[table])["Items"], key=str)


def test_items_come_back_with_their_types_and_the_new_bucket(old: StackResources, new: StackResources, tmp_path: Path):
    put(
        old,
        "JobsTable",
        job_id={"S": "job_1"},
        data={"S": "s3://old-bucket/datasets/a.csv"},
        packed={"B": b"\x00\xff"},
        set={"SS": ["a", "b"]},
        map={"M": {"B": {"S": "no bytes"}, "n": {"N": "1.50"}, "no": {"NULL": True}, "list": {"L": [{"B": b"x"}]}}},
    )
    file, sha256 = Tables(old).save(tmp_path, "JobsTable")
    assert (file.items, sha256) == (1, files.sha256_of(tmp_path / file.file))
    for _ in range(2):  # as often as it is interrupted
        Tables(new).restore(tmp_path, "JobsTable", file, PLAIN)
    (expected,) = items(old, "JobsTable")
    assert items(new, "JobsTable") == [{**expected, "data": {"S": "s3://new-bucket/datasets/a.csv"}}]
    assert Tables(new).missing(tmp_path, "JobsTable", file) == 0
    boto3.client("dynamodb").delete_item(TableName=new["JobsTable"], Key={"job_id": {"S": "job_1"}})
    assert Tables(new).missing(tmp_path, "JobsTable", file) == 1


def test_histories_say_where_something_was_then(old: StackResources, new: StackResources, tmp_path: Path):
    put(old, "GovernanceTable", part={"S": "m"}, item={"S": "1"}, text={"S": '{"dataset":"s3://old-bucket/a.csv"}'})
    put(old, "GovernanceTable", part={"S": "#keys"}, item={"S": "1"}, text={"S": "of the old stack"})
    put(old, "GovernanceTable", part={"S": "#heads"}, item={"S": "#keys"}, seq={"N": "1"})
    file, _ = Tables(old).save(tmp_path, "GovernanceTable")
    for number in ("1", "2"):
        put(new, "GovernanceTable", part={"S": "#keys"}, item={"S": number}, text={"S": "of the new stack"})
    assert Tables(new).in_use() == []
    Tables(new).restore(tmp_path, "GovernanceTable", file, PLAIN)
    assert items(new, "GovernanceTable") == items(old, "GovernanceTable")
    assert Tables(new).in_use() == ["histories of models"]


def test_expired_items_are_left_out_and_many_are_written(old: StackResources, new: StackResources, tmp_path: Path):
    table = old["WebhooksTable"]
    boto3.client("dynamodb").update_time_to_live(
        TableName=table, TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True}
    )
    put(old, "WebhooksTable", series={"S": "webhooks"}, part={"S": "wh"}, host={"S": "hooks.example.com"})
    for number, expires in enumerate((time.time() - 5, time.time() + 500)):
        put(old, "WebhooksTable", series={"S": "wh"}, part={"S": str(number)}, expires={"N": str(expires)})
    for number in range(60):
        put(old, "JobsTable", job_id={"S": f"job_{number}"})
    webhooks, _ = Tables(old).save(tmp_path, "WebhooksTable")
    jobs, _ = Tables(old).save(tmp_path, "JobsTable")
    assert (webhooks.items, jobs.items) == (2, 60)
    assert tables.hosts(tmp_path, webhooks) == ["hooks.example.com"]
    Tables(new).restore(tmp_path, "JobsTable", jobs, PLAIN)
    assert items(new, "JobsTable") == items(old, "JobsTable")


@pytest.mark.parametrize(
    ("line", "renamed"),
    [
        (b"s3://b-1/key\tx", b"s3://c/key\tx"),
        (b'{"S":"b-1"}', b'{"S":"c"}'),
        (b"arn:aws:s3:::b-1/*", b"arn:aws:s3:::c/*"),
        (b"https://b-1.s3.amazonaws.com/k", b"https://c.s3.amazonaws.com/k"),
        (b"s3://b-12/key", b"s3://b-12/key"),
        (b"s3://b-1-logs/key", b"s3://b-1-logs/key"),
        (b"s3://ab-1/key", b"s3://ab-1/key"),
        (b"s3://b-1.other/key", b"s3://b-1.other/key"),
    ],
)
def test_only_the_whole_name_of_the_bucket_is_written_anew(line: bytes, renamed: bytes):
    assert Rewriting("b-1", "c").line(line) == renamed


def test_the_latest_version_of_each_object_comes_back_with_what_belongs_to_it(
    old: StackResources, new: StackResources, tmp_path: Path
):
    s3 = boto3.client("s3")
    for key, body in (("a", b"first"), ("a", b"second"), ("b", b"second"), ("gone", b"x"), ("ä ö/%+?", b"")):
        s3.put_object(Bucket=old.bucket, Key=key, Body=body, ContentType="text/plain", Metadata={"by": "ann"})
    s3.put_object_tagging(Bucket=old.bucket, Key="b", Tagging={"TagSet": [{"Key": "mlops-stage", "Value": "A + B"}]})
    s3.delete_object(Bucket=old.bucket, Key="gone")
    for key in ("backups/x/database.tar", "platform/model-types.json", "pushes/m/d/s", "serving/_access.json"):
        s3.put_object(Bucket=old.bucket, Key=key, Body=b"own")
    count, size, sha256 = Objects(old).save(tmp_path)
    assert (count, size, sha256) == (3, 12, files.sha256_of(tmp_path / OBJECTS))
    saved = list(read_objects(tmp_path / OBJECTS))
    assert [each.key for each in saved] == ["a", "b", "ä ö/%+?"]
    assert saved[0].sha256 == saved[1].sha256

    s3.put_object(Bucket=new.bucket, Key="serving/_access.json", Body=b"of the new stack")
    assert Objects(new).in_use() == []
    for _ in range(2):
        Objects(new).restore(tmp_path)
    assert s3.get_object(Bucket=new.bucket, Key="a")["Body"].read() == b"second"
    found = s3.head_object(Bucket=new.bucket, Key="b")
    assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"by": "ann"})
    assert s3.get_object_tagging(Bucket=new.bucket, Key="b")["TagSet"] == [{"Key": "mlops-stage", "Value": "A + B"}]
    assert len(s3.list_object_versions(Bucket=new.bucket, Prefix="a")["Versions"]) == 1, "what is there stays"
    assert Objects(new).missing(tmp_path) == 0
    s3.put_object(Bucket=new.bucket, Key="a", Body=b"else")
    s3.delete_object(Bucket=new.bucket, Key="b")
    assert Objects(new).missing(tmp_path) == 2
    assert Objects(new).in_use() == [f"objects in s3://{new.bucket}/{top}" for top in ("ä ö/", "a")]


def test_an_interrupted_copy_of_the_bucket_goes_on(
    old: StackResources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    s3 = boto3.client("s3")
    for number in range(150):
        s3.put_object(Bucket=old.bucket, Key=f"k{number:03}", Body=str(number).encode())
    read: list[str] = []
    copy = Objects._copied

    def counted(self: Objects, folder: Path, key: str, version_id: str) -> Any:
        if len(read) == 100:
            raise Crash("killed")
        read.append(key)
        return copy(self, folder, key, version_id)

    monkeypatch.setattr(Objects, "_copied", counted)
    with pytest.raises(Crash):
        Objects(old).save(tmp_path)
    with (tmp_path / PARTS).open("ab") as file:
        file.write(b'{"key": "half a li')
    done = {each.key for each in read_objects(tmp_path / PARTS)}
    assert 64 <= len(done) <= 100
    s3.put_object(Bucket=old.bucket, Key=min(done), Body=b"newer")
    read.clear()
    assert Objects(old).save(tmp_path)[0] == 150
    assert set(read) == {f"k{number:03}" for number in range(150)} - done | {min(done)}
    for each in read_objects(tmp_path / OBJECTS):
        assert files.sha256_of(tmp_path / each.file) == each.sha256
    contents = [path for path in (tmp_path / files.CONTENTS).rglob("*") if path.is_file()]
    assert len(contents) == 151


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """A backup with one object, a table and a database."""
    sha256, size = objects._store(tmp_path, iter([b"content"]))
    each = files.StoredObject("k", "v", sha256, size, "text/plain")
    hashes = {
        OBJECTS: files.write_whole(tmp_path / OBJECTS, objects.json_line_of(each)),
        DATABASE: files.write_whole(tmp_path / DATABASE, b"rows"),
        "tables/JobsTable.jsonl": files.write_whole(tmp_path / "tables/JobsTable.jsonl", b"{}\n"),
    }
    made = Manifest(
        format=files.FORMAT,
        created_at="2026-01-31T00:00:00+00:00",
        stack_id="arn:old",
        bucket="old-bucket",
        schema="s",
        rows={"runs": 1},
        tables={"JobsTable": TableFile("tables/JobsTable.jsonl", 1)},
        objects=1,
        bytes=size,
        keys=[files.KeyOwner("ann", "ann", "admin", ["*"])],
        webhooks=[],
        files=hashes,
    )
    made.write(tmp_path)
    return made


def test_each_file_is_compared_with_its_hash(tmp_path: Path, manifest: Manifest):
    assert Manifest.read(tmp_path) == manifest
    files.check(tmp_path, manifest)
    everything = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != files.MANIFEST]
    assert len(everything) == 4
    for path in everything:
        content = path.read_bytes()
        path.write_bytes(content + b"x")
        with pytest.raises(BadInput, match=f"{path.name} was changed"):
            files.check(tmp_path, manifest)
        path.unlink()
        with pytest.raises(BadInput, match=f"{path.name} is missing"):
            files.check(tmp_path, manifest)
        path.write_bytes(content)
    files.check(tmp_path, manifest)


def test_a_folder_without_a_whole_manifest_is_no_backup(tmp_path: Path, manifest: Manifest):
    dataclasses.replace(manifest, format=files.FORMAT + 1).write(tmp_path)
    with pytest.raises(BadInput, match="update it"):
        Manifest.read(tmp_path)
    (tmp_path / files.MANIFEST).write_text("{")
    with pytest.raises(BadInput, match="use another backup"):
        Manifest.read(tmp_path)
    (tmp_path / files.MANIFEST).unlink()
    with pytest.raises(BadInput, match="so it is no whole backup: finish it with `mlops backup"):
        Manifest.read(tmp_path)
