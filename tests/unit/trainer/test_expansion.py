"""The expansion of a coded matrix says the same in numpy, in torch and in ONNX, and what it says is what it should."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.support import coded
from trainer.data import Feature
from trainer.models import expansion
from trainer.models.expansion import EXPANDED, Expansion
from trainer.models.modules import Embed, Expand

NAN = np.nan
NUMBER, COLOUR = Feature("x", "x", None), Feature("colour", "colour", ("red", "green", "blue"))


def fitted(inputs: list, *features: Feature, **asked: object) -> Expansion:
    return expansion.fit(
        np.array(inputs, np.float32), features, **{"standardise": True, "most_levels": 8, "larger": "capped", **asked}
    )


def by_onnx(fitted: Expansion, inputs: np.ndarray) -> np.ndarray:
    nodes, constants = fitted.nodes()
    graph = helper.make_graph(
        nodes,
        "expansion",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["n", fitted.features])],
        [helper.make_tensor_value_info(EXPANDED, TensorProto.FLOAT, ["n", fitted.width])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    (expanded,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"inputs": inputs})
    return expanded


def test_numbers_are_standardised_and_what_is_missing_is_the_mean_with_a_flag():
    found = fitted([[1, 10], [3, 10], [NAN, 10]], NUMBER, NUMBER)
    rows = np.array([[1, 10], [NAN, 10], [5, 12], [2, NAN]], np.float32)
    # The second number never varies and is never missing: it is centred, and has no flag.
    np.testing.assert_allclose(found.transform(rows), [[-1, 0, 0], [0, 0, 1], [3, 2, 0], [0, 0, 0]])
    assert found.sources.tolist() == [0, 1, 0]


def test_a_category_has_a_flag_for_each_level_for_others_and_for_missing():
    found = fitted([[0], [1], [2]], COLOUR)
    rows = np.array([[0], [2], [3], [NAN]], np.float32)
    assert found.transform(rows).tolist() == [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("larger", "expected"),
    [
        ("capped", [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        ("kept", [[0], [2], [3], [NAN]]),
        ("left out", [[], [], [], []]),
    ],
)
def test_a_category_with_more_levels(larger: str, expected: list):
    found = fitted([[0], [1], [2]], COLOUR, most_levels=2, larger=larger)
    rows = np.array([[0], [2], [3], [NAN]], np.float32)
    np.testing.assert_array_equal(found.transform(rows), np.array(expected, np.float32))


def test_trees_take_numbers_and_the_codes_of_many_levels_as_they_are():
    dataset = coded.made()
    found = expansion.for_trees(dataset.train.inputs, dataset.feature_columns)
    expanded = found.transform(dataset.held_out.inputs)
    np.testing.assert_array_equal(expanded[:, :5], dataset.held_out.inputs[:, [0, 1, 2, 3, 5]])
    assert found.sources.tolist() == [0, 1, 2, 3, 5, *[4] * 5]


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("larger", ["capped", "kept", "left out"])
def test_onnx_and_torch_say_what_numpy_says(standardise: bool, larger: str):
    dataset = coded.made()
    found = expansion.fit(
        dataset.train.inputs, dataset.feature_columns, standardise=standardise, most_levels=8, larger=larger
    )
    rows = np.concatenate([dataset.held_out.inputs, coded.odd_rows(dataset)])
    expected = found.transform(rows)
    assert (expected.dtype, expected.shape) == (np.float32, (len(rows), found.width))
    np.testing.assert_array_equal(by_onnx(found, rows), expected)
    if not len(found.kept):
        np.testing.assert_array_equal(Expand(found)(torch.from_numpy(rows)).numpy(), expected)


def test_the_graph_does_not_grow_with_the_columns():
    generator = np.random.default_rng(0)

    def nodes(columns: int) -> int:
        inputs = generator.integers(0, 3, (50, 2 * columns)).astype(np.float32)
        inputs[0] = NAN
        return len(fitted(inputs, *[NUMBER] * columns, *[COLOUR] * columns).nodes()[0])

    assert nodes(1) == nodes(40) <= 20


def test_nothing_is_done_to_what_is_taken_as_it_is():
    rows = np.array([[1, NAN], [2, 3]], np.float32)
    for found in (expansion.unchanged(2), fitted(rows, standardise=False)):
        assert found.is_identity
        assert found.nodes() == ([], {})
        assert found.transform(rows) is rows


def test_a_column_of_missing_values_only_is_zero_with_a_flag():
    assert fitted([[NAN], [NAN]], NUMBER).transform(np.array([[NAN], [4]], np.float32)).tolist() == [[0, 1], [4, 0]]


def test_each_level_others_and_missing_have_an_embedding_of_their_own():
    torch.manual_seed(0)
    embed = Embed([0, 2], [3, 9])
    rows = torch.tensor([[float(code) if code < 4 else NAN, 7.0, 0.0] for code in range(5)])
    found = embed(rows)
    assert found.shape == (5, embed.width)
    assert len({tuple(row) for row in found[:, :3].tolist()}) == 5
    assert embed.table.num_embeddings == 3 + 2 + 9 + 2
    last = embed(torch.tensor([[0.0, 0.0, NAN]]))[0, 3:]
    assert last.tolist() == embed.table.weight[-1].tolist()
