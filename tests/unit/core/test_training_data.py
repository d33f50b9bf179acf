"""What an address tells about the data."""

import pytest

from mlops.domain.training_data import kinds_of
from mlops.domain.training_request import TrainRequest


@pytest.mark.parametrize(
    ("address", "kinds"),
    [
        ("digits", {"image"}),
        ("mnist", {"image"}),
        ("s3://set/a.npz", {"vector", "image"}),
        ("s3://set/parts/", {"table"}),
        ("s3://set/latest", {"table", "vector", "image"}),
        ("s3://set/a.csv?x#y.parquet", {"table"}),
        ("https://example.com/a.csv?token=x.npz", {"table"}),
        *((f"s3://set/a{suffix}", {"table"}) for suffix in (".csv", ".TSV.gz", ".jsonl.zst", ".ndjson", ".parquet")),
    ],
)
def test_kinds(address, kinds):
    assert kinds_of(address) == kinds
    assert TrainRequest(dataset=address).dataset == address


def test_only_s3_has_folders():
    with pytest.raises(ValueError, match="only s3:// addresses may end in /"):
        TrainRequest(dataset="https://example.com/parts/")
