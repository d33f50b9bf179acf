"""Names of models: what is refused is said as a rule, and one rule stands behind every route."""

import pytest
from pydantic import BaseModel, ValidationError

from mlops.domain.model_name import RULE, is_servable, unservable_reason
from mlops.domain.names import ModelName


class Body(BaseModel):
    model_name: ModelName


@pytest.mark.parametrize("name", ["digit-classifier", "A.b_c-9", "9", "x" * 100])
def test_these_can_be_served(name):
    assert Body(model_name=name).model_name == name
    assert (is_servable(name), unservable_reason(name)) == (True, None)


@pytest.mark.parametrize("name", ["my model", "größe", "", "-a", "a/b", "x" * 101, "a\n"])
def test_these_cannot_and_the_reason_has_no_regular_expression(name):
    with pytest.raises(ValidationError) as refused:
        Body(model_name=name)
    (error,) = refused.value.errors()
    assert error["msg"] == RULE
    assert not is_servable(name)
    assert unservable_reason(name).endswith("rename the model in MLflow")
