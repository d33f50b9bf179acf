"""A version in the bin is not rolled out."""

from typing import Any

import pytest

from mlops.aws.bin import Bin
from mlops.aws.model_history import ModelHistory
from mlops.domain.bin import BinEntry, BinKind
from mlops.domain.errors import Conflict
from tests.unit.rollout.conftest import MODEL, World


def test_a_version_in_the_bin_is_refused_with_the_remedy(world: World, begin: Any) -> None:
    history = ModelHistory(world.governance, world.transitions)
    entry = BinEntry(BinKind.VERSION, MODEL, "x", "ann", version=2)
    history.bin.claim(entry)
    Bin(history).put_in(entry)
    with pytest.raises(Conflict, match=f"restore it with POST /models/{MODEL}/versions/2/restore"):
        begin()
    assert world.table.open_of(MODEL) is None
