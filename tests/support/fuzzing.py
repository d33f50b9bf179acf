"""How long a fuzz test looks: a small budget in every run, and as much as FUZZ multiplies it by (`make fuzz`)."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FACTOR = int(os.environ.get("FUZZ", "1"))


def budget(examples: int) -> settings:
    """Settings of a fuzz test that tries so many examples, times FUZZ. A long run draws other ones each time."""
    return settings(
        max_examples=examples * FACTOR,
        deadline=None,
        print_blob=True,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            HealthCheck.data_too_large,
        ],
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
"""What `json.dumps` writes: halves of surrogate pairs, NaN and infinity included."""


@st.composite
def spoiled(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """One of the files after some accidents: bytes changed, cut out, doubled, put in, or taken from another file."""
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 16))
        match draw(st.sampled_from(["change", "flip", "cut", "double", "insert", "splice", "truncate"])):
            case "change":
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at : at + length]
            case "double":
                data[at:at] = data[at : at + length]
            case "insert":
                data[at:at] = draw(st.binary(max_size=16))
            case "splice":
                other = draw(st.sampled_from(files))
                start = draw(st.integers(0, len(other)))
                data[at:] = other[start:]
            case "truncate":
                del data[at:]
    return bytes(data)
