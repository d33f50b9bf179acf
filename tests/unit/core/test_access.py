"""Which names a key is for, and the file of grants."""

import pytest

from mlops.domain.access import AccessError, Grant, grants_from_json, grants_to_json


@pytest.mark.parametrize(
    ("models", "name", "covered"),
    [
        (("*",), "anything", True),
        (("churn*",), "churn", True),
        (("churn*",), "churn-eu", True),
        (("churn*",), "churm", False),
        (("churn*",), "my-churn", False),
        (("churn",), "churn-eu", False),
        (("churn", "digits"), "digits", True),
        (("a.b*",), "axb1", False),
        ((), "churn", False),
        (("churn*",), "churn*", True),
    ],
)
def test_a_name_that_ends_in_a_star_stands_for_all_with_this_beginning(
    models: tuple[str, ...], name: str, covered: bool
) -> None:
    assert Grant("read", models).covers(name) is covered


def test_a_role_may_do_what_those_before_may() -> None:
    assert Grant("approve").has("predict")
    assert not Grant("approve").has("admin")
    assert not Grant("auditor").has("predict"), "of a later version"


def test_the_file_is_read_as_it_was_written_and_unknown_fields_are_ignored() -> None:
    grants = {"a": Grant("predict", ("churn*",)), "b": Grant("admin"), "c": Grant("read", until=2_000_000_000)}
    assert grants_from_json(grants_to_json(grants)) == grants
    later = b'{"keys": {"a": {"role": "read", "models": ["x"], "since": 1}}, "schema": 2}'
    assert grants_from_json(later) == {"a": Grant("read", ("x",))}


@pytest.mark.parametrize("spoiled", [b"", b"null", b"[]", b'{"keys": 1}', b'{"keys": {"a": {"models": []}}}', b"\xff"])
def test_a_file_that_is_none_is_refused(spoiled: bytes) -> None:
    with pytest.raises(AccessError):
        grants_from_json(spoiled)


@pytest.mark.parametrize("until", ['"soon"', "[]", "1e400"])
def test_an_end_that_is_no_time_is_refused(until: str) -> None:
    with pytest.raises(AccessError):
        grants_from_json(b'{"keys": {"a": {"role": "read", "models": ["*"], "until": %s}}}' % until.encode())


def test_one_name_in_place_of_a_list_is_refused() -> None:
    """As a list of its letters it could stand for every name."""
    with pytest.raises(AccessError):
        grants_from_json(b'{"keys": {"a": {"role": "read", "models": "*"}}}')
