from dataclasses import dataclass

import pytest

from mlops.settings import MissingSetting, Settings


@dataclass(frozen=True)
class Example(Settings):
    some_table: str
    limit: int = 3
    margin: float = 0.5
    strict: bool = False


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


@pytest.mark.parametrize(("text", "read"), [("true", True), ("True", True), ("false", False), ("False", False)])
def test_a_boolean_is_true_or_false(monkeypatch, text, read):
    monkeypatch.setenv("SOME_TABLE", "t")
    monkeypatch.setenv("STRICT", text)
    assert Example.from_environment().strict is read


@pytest.mark.parametrize("text", ["", "yes", "0"])
def test_what_is_neither_is_named(monkeypatch, text):
    monkeypatch.setenv("SOME_TABLE", "t")
    monkeypatch.setenv("STRICT", text)
    with pytest.raises(MissingSetting, match="STRICT is not of type bool"):
        Example.from_environment()
