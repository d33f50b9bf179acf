"""Predictions."""

from __future__ import annotations

from typing import Any

from mlops_client.errors import BadInput
from mlops_client.inputs import image_fields, plain, scale_of
from mlops_client.models import BatchPrediction, Prediction
from mlops_client.records import decode
from mlops_client.routes.base import Routes, given

BATCH_SIZE = 100
"""The API's limit of inputs per request."""


class PredictionRoutes(Routes):
    """Get predictions from models."""

    def predict(
        self,
        image: Any = None,
        *,
        inputs: Any = None,
        scale: float | None = None,
        model_name: str | None = None,
        staging: bool = False,
    ) -> Prediction:
        """Predict one input.

        Args:
            image: An array or nested list of pixels, `[28, 28]` or flat; the bytes of a PNG; or the path of a PNG.
            inputs: For models without images: one number per feature.
            scale: The value of white. By default 255 for numpy's whole numbers, and 1 for others.
            model_name: The registered model. By default the platform's default model.
            staging: Whether to use the version in Staging.

        Raises:
            BadInput: Neither or both of image and inputs are given, or they cannot be sent.
        """
        if (image is None) == (inputs is None):
            raise BadInput("predict needs either image or inputs")
        body = {"inputs": plain(inputs)} if image is None else image_fields(image, scale)
        route = "/predict/staging" if staging else "/predict"
        body |= given({"model_name": model_name})
        return decode(Prediction, self.transport.call("POST", route, body, safe=True))

    def predict_batch(
        self, images: Any = None, *, inputs: Any = None, scale: float | None = None, model_name: str | None = None
    ) -> BatchPrediction:
        """Predict many inputs, with one request per 100 of them.

        Args:
            images: `[n, rows, columns]` or `[n, pixels]`.
            inputs: For models without images: `[n, features]`.
            scale: See `predict`.
            model_name: See `predict`.

        Raises:
            BadInput: Neither or both of images and inputs are given, they are empty, or they cannot be sent.
        """
        if (images is None) == (inputs is None):
            raise BadInput("predict_batch needs either images or inputs")
        name = "inputs_list" if images is None else "images"
        rows = plain(inputs if images is None else images)
        if not rows:
            raise BadInput("predict_batch needs at least one input")
        rest = given({"scale": None if images is None else scale_of(images, scale), "model_name": model_name})
        pages = [
            decode(
                BatchPrediction,
                self.transport.call(
                    "POST", "/predict/batch", {name: rows[start : start + BATCH_SIZE], **rest}, safe=True
                ),
            )
            for start in range(0, len(rows), BATCH_SIZE)
        ]
        return BatchPrediction(
            predictions=[prediction for page in pages for prediction in page.predictions],
            confidences=[confidence for page in pages for confidence in page.confidences or ()] or None,
            model_name=pages[-1].model_name,
            model_version=pages[-1].model_version,
            batch_size=len(rows),
        )
