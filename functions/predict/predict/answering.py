"""Ask a loaded model what a request asks, and make the answer: its body, and what the log says of it."""

from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mlops.inference.answers import NotFinite
from predict import records
from predict.inputs import beyond_the_model, inputs_of
from predict.model_cache import ServedModel
from predict.records import Outcome, Ran
from predict.request import Request, only_rows_are_explained
from predict.response_cache import Answer
from predict.s3 import Bucket

if TYPE_CHECKING:
    import numpy as np


class Answering:
    """Asks models. `bucket` has what explains their answers, and of a share of the inputs samples are logged.

    A request is asked and answered in three steps, so that during a rollout another model can be run in between.
    """

    def __init__(self, bucket: Bucket, sample_share: float) -> None:
        self._bucket, self._sample_share = bucket, sample_share

    def answer(
        self, model: ServedModel, parsed: Request, body: str, batch: bool, request_id: str, explain: str | None
    ) -> Answer:
        """Answer a request.

        Args:
            model: The model.
            parsed: The request.
            body: The request as it came.
            batch: Whether it is one for several rows.
            request_id: Its id.
            explain: Which label's answer is to be explained; None if none is.

        Raises:
            ValidationFailed: The model does not take it, or has no finite answer.
        """
        taken = self.input_of(model, parsed, batch, explain)
        return self.written(model, parsed, body, batch, request_id, explain, taken, self.run(model, parsed, taken))

    def input_of(self, model: ServedModel, parsed: Request, batch: bool, explain: str | None) -> Any:
        """Return what the model takes: float32 `[n, features]`, or encoded rows. Raises ValidationFailed."""
        if model.manifest.input is None:
            return _tables().rows_of(model, parsed, batch)
        if explain is not None:
            raise only_rows_are_explained()
        return inputs_of(parsed, model.manifest.input)

    def run(self, model: ServedModel, parsed: Request, taken: Any) -> Ran:
        """Ask the model. Raises ValidationFailed: it has no finite answer."""
        if model.manifest.input is None:
            ran: Ran = _tables().run(model, taken[0].feeds, parsed.source)
            return ran
        return _classified(model, taken, parsed.source)

    def written(
        self,
        model: ServedModel,
        parsed: Request,
        body: str,
        batch: bool,
        request_id: str,
        explain: str | None,
        taken: Any,
        ran: Ran,
    ) -> Answer:
        """Write what the model has answered, `ran`, to its input, `taken`."""
        manifest = model.manifest
        if manifest.input is None:
            explanations = None
            if explain is not None:
                from predict.explanations import RowExplanations

                explanations = RowExplanations.of(self._bucket, model, parsed, explain)
            document, outcome = _tables().answer(model, taken, ran, batch, request_id, explanations)
        else:
            outcome = self._outcome(model, taken, ran, request_id)
            document = (model.answers.batch if batch else model.answers.single)(ran[0])
        return Answer(
            body,
            model.serial,
            manifest.model_name,
            parsed.version,
            document,
            outcome.record,
            outcome.kept,
            len(ran[1]) if batch else 1,
            outcome.counts,
        )

    def ask(self, model: ServedModel, parsed: Request, request_id: str) -> Outcome:
        """Ask a model of images or vectors.

        Raises:
            ValidationFailed: The inputs are not the model's, or it has no finite answer. Names the field.
        """
        assert model.manifest.input is not None
        inputs = inputs_of(parsed, model.manifest.input)
        return self._outcome(model, inputs, _classified(model, inputs, parsed.source), request_id)

    def _outcome(self, model: ServedModel, inputs: "np.ndarray", ran: Ran, request_id: str) -> Outcome:
        answers, outputs = ran
        signals = model.signals.of(request_id, inputs) if model.signals is not None else None
        if self._sample_share:
            from predict import samples  # few stacks keep inputs

            if sample := samples.line(model.manifest, inputs, answers.predictions, self._sample_share):
                records.report("mlops.prediction", **sample)
        return Outcome(answers, outputs, model.lines.of_classes(answers, signals), model.keeper.kept(outputs))


def _classified(model: ServedModel, inputs: "np.ndarray", source: str) -> Ran:
    probabilities = model.probabilities(inputs)
    try:
        return model.answers.of_classes(probabilities), probabilities
    except NotFinite:  # numbers so large that the model's arithmetic overflows
        raise beyond_the_model(source) from None


@cache
def _tables() -> ModuleType:
    from predict import tables  # only for table models: other ones start without it

    return tables
