"""The client's own folder, on the path of these tests alone."""

import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).resolve().parents[3] / "client"


@pytest.fixture(scope="session")
def client_path() -> Path:
    """Makes `mlops_client` importable."""
    if str(CLIENT) not in sys.path:
        sys.path.insert(0, str(CLIENT))
    return CLIENT
