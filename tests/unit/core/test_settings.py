from dataclasses import dataclass

import pytest

from mlops.settings import MissingSetting, Settings


@dataclass(frozen=True)
class Example(Settings):
    some_table: str
    limit: int = 3
    margin: float = 0.5


def test_fields_are_read_from_variables_of_their_name(monkeypatch):
    monkeypatch.setenv("SOME_TABLE", "t")
    monkeypatch.setenv("LIMIT", "7")
    assert Example.from_environment() == Example("t", 7, 0.5)


def test_a_missing_variable_is_named(monkeypatch):
    monkeypatch.delenv("SOME_TABLE", raising=False)
    with pytest.raises(MissingSetting, match="SOME_TABLE"):
        Example.from_environment()


def test_a_variable_of_the_wrong_type_is_named(monkeypatch):
    monkeypatch.setenv("SOME_TABLE", "t")
    monkeypatch.setenv("LIMIT", "many")
    with pytest.raises(MissingSetting, match="LIMIT"):
        Example.from_environment()
