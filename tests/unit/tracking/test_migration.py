"""A migration on PostgreSQL: nobody writes meanwhile, and whoever is killed locks nobody out."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from infra.local.database import DATABASE, OWNER, Database
from tracking import migrate, store

pytestmark = pytest.mark.slow


@pytest.fixture
def owner(database: Database) -> Iterator[Any]:
    connection = psycopg2.connect(host=database.address().host, user=OWNER, dbname=DATABASE)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture
def tracking(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An engine as MLflow makes it, with the logins of the tracking server."""
    for name, value in database.address().environment("mlflow_rw").items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    engine = create_engine(store.store_uri(), pool_pre_ping=True, pool_size=1)
    yield engine
    engine.dispose()


def runs(engine: Any) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("select count(*) from runs")).scalar())


def test_a_connection_of_tracking_is_ended_and_the_next_one_waits(owner: Any, tracking: Any) -> None:
    with tracking.connect() as writing:
        writing.execute(text("select 1"))
        with owner.cursor() as cursor:
            migrate.be_alone(cursor)
        with pytest.raises(DBAPIError):
            writing.execute(text("select 1"))
    found: list[int] = []
    asking = threading.Thread(target=lambda: found.append(runs(tracking)))
    asking.start()
    time.sleep(1)
    assert found == [], "it would write while the tables change"
    owner.close()
    asking.join(10)
    assert found == [0]


def test_a_caller_hears_in_time_that_the_database_does_not_answer(
    owner: Any, tracking: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MIGRATION_SECONDS", 1)
    with owner.cursor() as cursor:
        migrate.be_alone(cursor)
    with pytest.raises(DBAPIError, match="lock timeout"):
        runs(tracking)


def test_a_migration_that_dies_locks_nobody_out(database: Database, owner: Any, tracking: Any) -> None:
    with owner.cursor() as cursor:
        migrate.be_alone(cursor)
        cursor.execute("select pg_backend_pid()")
        (process,) = cursor.fetchone()
    with psycopg2.connect(host=database.address().host, user=OWNER, dbname=DATABASE) as other, other.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(%s)", (process,))
    assert runs(tracking) == 0


def test_a_second_migration_waits_for_the_first_and_changes_nothing(database: Database, tracking: Any) -> None:
    assert runs(tracking) == 0
    database.migrate()
    assert runs(tracking) == 0, "an idle connection was ended, and the pool makes another one"
