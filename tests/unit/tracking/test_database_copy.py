"""The rows of the database are copied to a file and back, on PostgreSQL with MLflow's own schema."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from infra.local.database import DATABASE, OWNER, Database
from mlops_client.operator.backups.addresses import Rewriting
from mlops_client.operator.backups.database import _rewrite
from tracking import database_copy

pytestmark = pytest.mark.slow
TEXT = "a\tb\nc\\d\r\"'ä\u2028 \\N s3://old-bucket/x"


@pytest.fixture
def sql(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What a statement answers, for the database's owner. The job finds the same database."""
    for name, value in database.address().environment(OWNER).items():
        monkeypatch.setenv(name, value)
    connection = psycopg2.connect(host=database.address().host, user=OWNER, dbname=DATABASE)
    connection.autocommit = True
    cursor = connection.cursor()

    def ask(statement: str, *values: Any) -> list[Any]:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    yield ask
    ask("TRUNCATE registered_models, runs, experiments CASCADE")
    connection.close()


def fill(sql: Any) -> None:
    """An experiment with a run, a model with two versions, and texts with all that COPY escapes."""
    place = "s3://old-bucket/mlflow/1"
    sql("INSERT INTO experiments (name, artifact_location, workspace) VALUES ('e', %s, 'default')", place)
    ((experiment,),) = sql("SELECT experiment_id FROM experiments WHERE name = 'e'")
    sql("INSERT INTO runs (run_uuid, experiment_id, lifecycle_stage) VALUES ('r', %s, 'active')", experiment)
    sql("INSERT INTO tags (key, value, run_uuid) VALUES ('t', %s, 'r'), ('empty', '', 'r')", TEXT)
    columns = "key, value, timestamp, step, is_nan, run_uuid"
    sql(f"INSERT INTO metrics ({columns}) VALUES ('m', 0.1::float8 + 0.2, 1, 0, false, 'r')")
    sql("INSERT INTO registered_models (workspace, name) VALUES ('default', 'm')")
    for version, stage in ((1, "Production"), (2, "None")):
        sql(
            "INSERT INTO model_versions (workspace, name, version, current_stage, run_id) "
            "VALUES ('default', 'm', %s, %s, 'r')",
            version,
            stage,
        )


def everything(sql: Any) -> dict[str, list[Any]]:
    tables = [
        name
        for (name,) in sql("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
    ]
    return {name: sorted(map(str, sql(f'SELECT * FROM "{name}"'))) for name in tables}


def test_all_rows_come_back_and_numbers_go_on(sql: Any, tmp_path: Path) -> None:
    fill(sql)
    before = everything(sql)
    dumped = database_copy.dump(tmp_path / "a.tar")
    rows = {table.name: table.rows for table in dumped.tables}
    assert {name: len(found) for name, found in before.items()} == rows
    sql("DELETE FROM tags")
    sql("INSERT INTO registered_models (workspace, name) VALUES ('default', 'other')")
    assert database_copy.load(tmp_path / "a.tar") == dumped
    assert everything(sql) == before
    ((text,),) = sql("SELECT value FROM tags WHERE key = 't'")
    assert text == TEXT
    ((last,),) = sql("SELECT max(experiment_id) FROM experiments")
    sql("INSERT INTO experiments (name, workspace) VALUES ('next', 'default')")
    assert sql("SELECT experiment_id FROM experiments WHERE name = 'next'") == [(last + 1,)]
    with pytest.raises(psycopg2.errors.ExclusionViolation):  # the constraints hold as before
        sql("UPDATE model_versions SET current_stage = 'Production'")


def test_the_bucket_is_named_anew_and_texts_stay_whole(sql: Any, tmp_path: Path) -> None:
    fill(sql)
    database_copy.dump(tmp_path / "a.tar")
    (tmp_path / "new").mkdir()
    _rewrite(tmp_path / "a.tar", tmp_path / "new/a.tar", Rewriting("old-bucket", "a-new-bucket"))
    database_copy.load(tmp_path / "new/a.tar")
    assert sql("SELECT value FROM tags WHERE key = 't'") == [(TEXT.replace("old-bucket", "a-new-bucket"),)]
    assert sql("SELECT artifact_location FROM experiments WHERE name = 'e'") == [("s3://a-new-bucket/mlflow/1",)]


def _changed(source: Path, target: Path, name: str, content: bytes) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            data = content if member.name == name else old.extractfile(member).read()  # type: ignore[union-attr]
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("tags.copy", b"", "tags has 0 rows instead of 2: the file is not whole"),
        ("runs.copy", b"", "runs has 0 rows instead of 1: the file is not whole"),
        ("tags.copy", b"half\tof a", "missing data"),
    ],
)
def test_a_load_that_fails_leaves_all_as_it_was(sql: Any, tmp_path: Path, name: str, content: bytes, told: str) -> None:
    fill(sql)
    database_copy.dump(tmp_path / "a.tar")
    _changed(tmp_path / "a.tar", tmp_path / "b.tar", name, content)
    sql("INSERT INTO registered_models (workspace, name) VALUES ('default', 'since')")
    before = everything(sql)
    with pytest.raises((database_copy.CopyRefused, psycopg2.Error), match=told):
        database_copy.load(tmp_path / "b.tar")
    assert everything(sql) == before


def test_another_schema_is_refused_with_the_remedy(sql: Any, tmp_path: Path) -> None:
    database_copy.dump(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        index = json.load(tar.extractfile(database_copy.INDEX))  # type: ignore[arg-type]
    for change in ({"schema": "0"}, {"tables": index["tables"][1:]}):
        _changed(tmp_path / "a.tar", tmp_path / "b.tar", database_copy.INDEX, json.dumps(index | change).encode())
        with pytest.raises(
            database_copy.CopyRefused, match="deploy the version of the platform that the backup is from"
        ):
            database_copy.load(tmp_path / "b.tar")


def test_a_database_in_use_is_told_from_an_empty_one(sql: Any) -> None:
    schema = database_copy.check_empty().schema
    assert sql("SELECT version_num FROM alembic_version") == [(schema,)]
    fill(sql)
    with pytest.raises(database_copy.CopyRefused, match="the database has 1 runs, 1 registered models, 1 experiments"):
        database_copy.check_empty()
