"""The filters that the registry is asked with."""

import pytest

from mlops.registry.rest import Tracking


@pytest.mark.parametrize(
    ("name", "asked"), [("wine", "name = 'wine' and run_id = 'r'"), ("o'neil", "name = \"o'neil\" and run_id = 'r'")]
)
def test_a_quote_in_a_models_name_does_not_end_the_filter(aws, monkeypatch, name, asked):
    tracking = Tracking("http://127.0.0.1:9")
    seen = []
    monkeypatch.setattr(tracking, "_get", lambda path, **query: seen.append(query["filter"]) or {})
    assert tracking.find_version(name, "r") is None
    assert seen == [asked]
