"""The job of a backup and of a restore: copy all rows of the database to a file in the bucket, or from there.

The rows are copied with COPY, each table in the same snapshot. So the job needs no program of PostgreSQL of the
server's version, and the schema is not in the file: it is that of the migration, which both databases have run.

    DATABASE_HOST=… DATABASE_USER=<owner> ARTIFACT_BUCKET=… COPY_STEP=dump COPY_KEY=… python -m tracking.database_copy

COPY_STEP is dump, check (whether the database is empty) or load, which replaces all that is there. Beside the file is
`<key>.result.json`: the schema and the rows of each table, or why the job has failed.
"""

import graphlib
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg2
from psycopg2 import sql

from mlops.registry.sql.database import DatabaseSettings, connection_parameters

INDEX = "tables.json"
SCHEMA_TABLE = "alembic_version"
"""The table that says which migration of MLflow the schema is from."""
LOCK_SECONDS = 60

_COLUMNS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
  AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.relname ORDER BY c.relname
"""
_REFERENCES = """
SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conrelid <> confrelid
"""
_SEQUENCES = """
SELECT c.relname, a.attname, pg_get_serial_sequence(quote_ident(c.relname), a.attname)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
  AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL
"""
_IN_USE = """
SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM registered_models),
       (SELECT count(*) FROM experiments WHERE name <> 'Default')
"""


class CopyRefused(Exception):
    """The database is not as the copy needs it. The message says what to do."""


@dataclass(frozen=True)
class TableRows:
    """The rows of a table in the file: its columns in order, and how many rows there are."""

    name: str
    columns: list[str]
    rows: int


@dataclass(frozen=True)
class Index:
    """What is in the file. `schema` is the migration of MLflow that the tables are from."""

    schema: str
    tables: list[TableRows]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Index":
        return cls(document["schema"], [TableRows(**table) for table in document["tables"]])


def main() -> int:
    s3, bucket, key = boto3.client("s3"), os.environ["ARTIFACT_BUCKET"], os.environ["COPY_KEY"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "database.tar"
        try:
            step = os.environ["COPY_STEP"]
            if step == "check":
                index = check_empty()
            elif step == "dump":
                index = dump(file)
                s3.upload_file(str(file), bucket, key)
            else:
                s3.download_file(bucket, key, str(file))
                index = load(file)
            result: dict[str, Any] = {"schema": index.schema, "rows": {each.name: each.rows for each in index.tables}}
        except (CopyRefused, psycopg2.Error, tarfile.TarError) as error:
            result = {"error": " ".join(str(error).split())}
    s3.put_object(Bucket=bucket, Key=f"{key}.result.json", Body=json.dumps(result).encode())
    print(json.dumps(result), flush=True)
    return 1 if "error" in result else 0


def dump(file: Path) -> Index:
    """Write the rows of all tables, as they are at one moment, to a tar file."""
    with closing(_connect()) as connection, tempfile.TemporaryDirectory() as folder, tarfile.open(file, "w") as tar:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection, connection.cursor() as cursor:
            schema, tables = _schema(cursor), []
            for name, columns in _columns(cursor).items():
                place = Path(folder) / name
                with place.open("wb") as rows:
                    cursor.copy_expert(_copy("COPY {} ({}) TO STDOUT", name, columns, cursor), rows)
                tables.append(TableRows(name, columns, _count(place)))
                tar.add(place, f"{name}.copy")
                place.unlink()
        index = Index(schema, tables)
        place = Path(folder) / INDEX
        place.write_text(json.dumps(asdict(index), indent=1))
        tar.add(place, INDEX)
    return index


def check_empty() -> Index:
    """Return the schema of a database without runs and models. Raises CopyRefused: it has some."""
    with closing(_connect()) as connection, connection.cursor() as cursor:
        cursor.execute(_IN_USE)
        found = dict(zip(("runs", "registered models", "experiments"), cursor.fetchone(), strict=True))
        if any(found.values()):
            there = ", ".join(f"{count} {what}" for what, count in found.items() if count)
            raise CopyRefused(f"the database has {there}: restore into a new stack")
        return Index(_schema(cursor), [])


def load(file: Path) -> Index:
    """Replace the rows of all tables by those of a file that `dump` has written, in one transaction.

    Raises:
        CopyRefused: The schema is another one, or the file is not whole.
    """
    with closing(_connect()) as connection, tempfile.TemporaryDirectory() as folder, tarfile.open(file) as tar:
        tar.extractall(folder, filter="data")
        index = Index.of(json.loads((Path(folder) / INDEX).read_text()))
        with connection, connection.cursor() as cursor:
            columns = _columns(cursor)
            _check_schema(index, _schema(cursor), columns)
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_SECONDS}s",))
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names))
            cursor.execute(sql.SQL("TRUNCATE {}").format(names))
            by_name = {table.name: table for table in index.tables}
            for name in _in_order(cursor, by_name):
                with (Path(folder) / f"{name}.copy").open("rb") as rows:
                    cursor.copy_expert(_copy("COPY {} ({}) FROM STDIN", name, by_name[name].columns, cursor), rows)
                _check_rows(cursor, by_name[name])
            _set_sequences(cursor)
    return index


def _connect() -> Any:
    parameters = connection_parameters(DatabaseSettings.from_environment())
    return psycopg2.connect(**parameters, password=os.environ.get("DATABASE_PASSWORD"))


def _columns(cursor: Any) -> dict[str, list[str]]:
    """Return the columns of each table of MLflow."""
    cursor.execute(_COLUMNS)
    return dict(cursor.fetchall())


def _schema(cursor: Any) -> str:
    cursor.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(SCHEMA_TABLE)))
    return str(cursor.fetchone()[0])


def _copy(command: str, table: str, columns: list[str], cursor: Any) -> str:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement: str = sql.SQL(command).format(sql.Identifier(table), names).as_string(cursor)
    return statement


def _count(file: Path) -> int:
    """Return the rows of a file of COPY: a line each, as line ends in values are escaped."""
    with file.open("rb") as rows:
        return sum(1 for _ in rows)


def _check_schema(index: Index, schema: str, columns: dict[str, list[str]]) -> None:
    other = {table.name: sorted(table.columns) for table in index.tables}
    if schema != index.schema or other != {name: sorted(found) for name, found in columns.items()}:
        raise CopyRefused(
            f"the backup is of the database's schema {index.schema}, and this stack has {schema}: deploy the version "
            "of the platform that the backup is from, restore, and update the stack then"
        )


def _in_order(cursor: Any, tables: Mapping[str, TableRows]) -> list[str]:
    """Return the tables in an order in which what is referred to comes first."""
    cursor.execute(_REFERENCES)
    graph: dict[str, set[str]] = {name: set() for name in tables}
    for name, referred in cursor.fetchall():
        graph[name].add(referred)
    return list(graphlib.TopologicalSorter(graph).static_order())


def _check_rows(cursor: Any, table: TableRows) -> None:
    cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name)))
    count = cursor.fetchone()[0]
    if count != table.rows:
        raise CopyRefused(f"{table.name} has {count} rows instead of {table.rows}: the file is not whole")


def _set_sequences(cursor: Any) -> None:
    """Let numbers that the database gives out go on after those that are there."""
    cursor.execute(_SEQUENCES)
    for table, column, sequence in cursor.fetchall():
        most = sql.SQL("SELECT setval(%s, coalesce(max({}), 0) + 1, false) FROM {}")
        cursor.execute(most.format(sql.Identifier(column), sql.Identifier(table)), (sequence,))


if __name__ == "__main__":
    sys.exit(main())
