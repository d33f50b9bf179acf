"""How files become shards."""

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from mlops.domain.batch_prediction import Shard, Totals
from mlops.domain.scoring_plan import MAX_SHARDS, InputFile, ScoringPlan, shards_of


def files(*sizes: tuple[str, int]) -> list[InputFile]:
    return [InputFile("b", f"x/{place:05}{suffix}", size, "e") for place, (suffix, size) in enumerate(sizes)]


@given(
    st.lists(st.tuples(st.sampled_from([".parquet", ".csv", ".jsonl.gz"]), st.integers(0, 5_000)), min_size=1),
    st.integers(1, 3_000),
)
def test_every_byte_is_in_one_shard_and_in_order(sizes: list[tuple[str, int]], shard_bytes: int) -> None:
    given_files = files(*sizes)
    shards = shards_of(given_files, shard_bytes)
    parts = [part for shard in shards for part in shard]
    assert [part.file for part in parts] == sorted(part.file for part in parts)
    for place, file in enumerate(given_files):
        own = [part for part in parts if part.file == place]
        assert (own[0].start, own[-1].end) == (0, file.size)
        assert all(before.end == after.start for before, after in itertools.pairwise(own))
        if not file.key.endswith(".parquet"):
            assert len(own) == 1, "text is never divided"
    assert all(shards)


def test_there_are_never_more_shards_than_an_array_may_have() -> None:
    (huge,) = files((".parquet", 10**12))
    shards = shards_of([huge], 1_000_000)
    assert MAX_SHARDS / 2 < len(shards) <= MAX_SHARDS
    many = files(*((".csv", 1_000_000) for _ in range(3 * MAX_SHARDS)))
    assert len(shards_of(many, 1_000_000)) <= MAX_SHARDS


def test_a_plan_is_read_as_it_was_written() -> None:
    made = files((".parquet", 10), (".csv", 3))
    shards = shards_of(made, 4)
    plan = ScoringPlan("batch_0", "m", 1, "serving/m/x.onnx", "0", "b", "scored/", ("id",), True, tuple(made), shards)
    assert ScoringPlan.from_json(plan.to_json()) == plan
    assert plan.output_key(7) == "scored/part-00007.parquet"
    assert plan.output_key(7, rejected=True) == "scored/rejected/part-00007.parquet"


def test_totals_keep_the_commonest_reasons() -> None:
    shards = [Shard(index, rows=10, rejected=index, reasons={f"r{index}": index, "all": 1}) for index in range(9)]
    totals = Totals.of(shards)
    assert (totals.rows, totals.rejected) == (90, 36)
    assert list(totals.reasons) == ["all", "r8", "r7", "r6", "r5"]
    assert math.isclose(totals.seconds, 0)
