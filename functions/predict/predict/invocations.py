"""MLflow's scoring protocol, which SageMaker's containers have too: POST /models/{name}/invocations, and a ping.

The answers are those of `mlflow models serve` with the model as its library's flavour. What the contract does not allow
is refused, where MLflow converts it.
"""

from predict import row_bodies, tables, tensors
from predict.called import Call, Response
from predict.model_cache import ServedModel
from predict.records import Outcome


def ping(call: Call) -> Response:
    """Answer that the model is loaded."""
    manifest = call.chosen()[0].manifest
    return call.found({"model_name": manifest.model_name, "model_version": manifest.model_version})


def invoke(call: Call) -> Response:
    """Answer with the label or the quantity of each row."""
    model, staleness = call.chosen()
    warnings: list[str] = []
    if model.encoder is None:
        outcome = _of_tensor(call, model)
    else:
        outcome, warnings = _of_rows(call, model)
    document = {"predictions": outcome.answers.predictions}
    return call.predicted(model, staleness, document, outcome, warnings)


def _of_rows(call: Call, model: ServedModel) -> tuple[Outcome, list[str]]:
    encoder = model.encoder
    assert encoder is not None
    if call.header("content-type").partition(";")[0].strip().lower() == "text/csv":
        sent = row_bodies.of_csv(call.text(), encoder.contract)
    else:
        sent = row_bodies.of_json(call.document(), encoder.contract)
    encoded = row_bodies.encoded(encoder, sent)
    ran = tables.run(model, encoded.feeds, sent.source)
    return tables.outcome(model, encoded.feeds, ran, call.request_id), encoded.warnings


def _of_tensor(call: Call, model: ServedModel) -> Outcome:
    source, entries = tensors.of_json(call.document(), model.manifest)
    return tensors.outcome(call, model, source, entries)
