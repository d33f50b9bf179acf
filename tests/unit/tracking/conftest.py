"""A database of MLflow's, for the tests of what works on PostgreSQL itself."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.database import Database
from infra.local.settings import Settings


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """A database that was migrated once. Its folder is open to the server's account, which pytest's is not."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-tracking-")).resolve()
    folder.chmod(0o755)
    settings = Settings(home=folder / ".local")
    for each in (settings.log_dir, settings.run_dir):
        each.mkdir(parents=True)
    made = Database(settings)
    try:
        made.start()
        made.migrate()
        yield made
    finally:
        made.stop()
        made.remove()
        shutil.rmtree(folder)
