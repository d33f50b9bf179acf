"""The database's server, whatever the folder is called and whatever the caller's shell says."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import psutil
import pytest

from infra.local.database import DATABASE, OWNER, Database
from infra.local.errors import LocalStackError
from infra.local.settings import Settings


@pytest.fixture
def base():
    """Not pytest's own folder, which is closed to other accounts."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-postgres-")).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make(base):
    """Databases in folders below `base`; each is stopped and removed at the end."""
    made = []

    def database(name):
        settings = Settings(home=base / name / ".local")
        settings.log_dir.mkdir(parents=True)
        made.append(Database(settings))
        return made[-1]

    yield database
    for database in made:
        database.stop()
        database.remove()


def roles(database):
    import psycopg

    with psycopg.connect(host=database.address().host, port=5432, user=OWNER, dbname=DATABASE) as connection:
        return {name for (name,) in connection.execute("select rolname from pg_roles")}


@pytest.mark.parametrize("name", ["R&D (v1) #2", "it's 100% a,b;c", "ü" * 60, "$(touch ran)"])
def test_it_starts_in_a_folder_of_any_name(make, base, name, monkeypatch):
    monkeypatch.chdir(base)
    database = make(name)
    assert database.start()
    assert {"rds_iam", OWNER} <= roles(database)
    socket_folder = Path(database.address().host)
    assert len(os.fsencode(socket_folder)) < 80
    assert not database.start()
    assert database.stop()
    assert not socket_folder.exists()
    assert not list(base.rglob("ran"))
    assert database.start(), "and again, on the data that is there"
    assert OWNER in roles(database)


def test_the_callers_variables_do_not_reach_it(make, monkeypatch):
    for name, value in {
        "LANG": "xx_XX.UTF-8",
        "LC_ALL": "xx_XX.UTF-8",
        "PGPORT": "1",
        "PGSERVICE": "nowhere",
        "PGCHANNELBINDING": "require",
        "PGDATA": "/nonexistent",
        "PGOPTIONS": "--nonsense",
    }.items():
        monkeypatch.setenv(name, value)
    database = make("plain")
    assert database.start()
    process = database.process()
    assert process is not None
    assert not [name for name in psutil.Process(process.pid).environ() if name.startswith("PG") and name != "PGDATA"]
    with monkeypatch.context() as clean:
        for name in [name for name in os.environ if name.startswith("PG")]:
            clean.delenv(name)
        assert OWNER in roles(database)


def test_what_an_interrupted_first_start_left_counts_for_nothing(make, base):
    database = make("plain")
    left = base / "plain/.local/postgres.part"
    left.mkdir()
    (left / "PG_VERSION").write_text("18\n")
    assert database.start()
    assert OWNER in roles(database)
    assert not left.exists()


def test_data_of_another_version_is_refused_and_kept(make, base):
    database = make("plain")
    data = base / "plain/.local/postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(LocalStackError, match=r"is from PostgreSQL 16, and this version uses 18: .*make reset"):
        database.start()
    assert (data / "PG_VERSION").exists()


def test_a_reason_is_the_servers_own(make, base):
    database = make("plain")
    database.start()
    database.stop()
    (base / "plain/.local/postgres/postgresql.conf").write_text("nonsense = 1\n")
    with pytest.raises(LocalStackError, match=r"FATAL:.*postgresql\.conf\" contains errors"):
        database.start()
    assert database.process() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another account")
def test_root_opens_no_folder(make, base):
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    database = make("closed/checkout")
    assert database.start()
    assert OWNER in roles(database)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    outside = (closed / "checkout/.local/postgres").resolve()
    assert not outside.is_relative_to(base)
    database.stop()
    assert database.start(), "and again, on the data that is there"
    database.stop()
    database.remove()
    assert not outside.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another account")
def test_data_in_a_folder_that_was_closed_later_goes_on(make, base):
    database = make("checkout")
    database.start()
    owned = roles(database)
    database.stop()
    (base / "checkout").chmod(0o700)
    assert database.start()
    assert roles(database) == owned
    assert stat.S_IMODE((base / "checkout").stat().st_mode) == 0o700
