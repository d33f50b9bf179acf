"""How a file that serves is asked whole tables: by like rows, with the answers in the order of the rows."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_conversion.served_file import BATCH_ROWS, answers, session_of

TEXTS = [f"place {number}" for number in range(40)]


def served() -> bytes:
    """Return a model whose answer is the number of the text, plus the number beside it."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            [CATEGORIES],
            ["code"],
            domain="ai.onnx.ml",
            keys_strings=TEXTS,
            values_floats=[float(place) for place in range(len(TEXTS))],
            default_float=-1.0,
        ),
        helper.make_node("Add", ["code", NUMBERS], ["prediction"]),
    ]
    inputs = [
        helper.make_tensor_value_info(NUMBERS, TensorProto.FLOAT, ["n", 1]),
        helper.make_tensor_value_info(CATEGORIES, TensorProto.STRING, ["n", 1]),
    ]
    outputs = [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["n", 1])]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    model = helper.make_model(helper.make_graph(nodes, "texts", inputs, outputs), opset_imports=opsets, ir_version=8)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("rows", [0, 1, BATCH_ROWS, 2 * BATCH_ROWS + 1])
def test_answers_stand_in_the_order_of_the_rows(rows: int) -> None:
    random = np.random.default_rng(3)
    codes = random.integers(0, len(TEXTS), rows)
    numbers = random.random((rows, 1)).astype(np.float32)
    feeds = {NUMBERS: numbers, CATEGORIES: np.array(TEXTS, object)[codes][:, None]}
    found = answers(session_of(served()), feeds)
    np.testing.assert_array_equal(found, codes[:, None].astype(np.float32) + numbers)


def test_like_rows_are_asked_one_after_another() -> None:
    class Heard:
        """A session that keeps what it was asked."""

        def __init__(self) -> None:
            self.session, self.asked = session_of(served()), list[str]()

        def get_outputs(self) -> object:
            return self.session.get_outputs()

        def run(self, outputs: list[str], feeds: dict[str, np.ndarray]) -> object:
            self.asked += feeds[CATEGORIES][:, 0].tolist()
            return self.session.run(outputs, feeds)

    heard = Heard()
    texts = np.array(TEXTS * 60, object)[:, None]
    answers(heard, {NUMBERS: np.zeros((len(texts), 1), np.float32), CATEGORIES: texts})  # type: ignore[arg-type]
    changes = sum(one != other for one, other in zip(heard.asked, heard.asked[1:], strict=False))
    assert changes == len(TEXTS) - 1
