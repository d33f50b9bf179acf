"""Responses of the performance routes."""

from typing import Literal

from pydantic import BaseModel, Field

PerformanceName = Literal["insufficient_data", "ok", "degraded"]


class Figure(BaseModel):
    """A figure with its 95 % interval."""

    value: float
    low: float | None = Field(description="Null with labels of fewer than five hours")
    high: float | None


class Calibration(BaseModel):
    tenth: int = Field(ge=0, le=9, description="9 has the confidences from 0.9 to 1")
    labels: int
    confidence: float = Field(description="Mean confidence of these predictions")
    accuracy: float = Field(description="Share of them that was right")


class ClassPerformance(BaseModel):
    """Of a classifier. The interval of the accuracy is Wilson's; the others are of a bootstrap over hours."""

    accuracy: Figure
    macro_f1: Figure = Field(description="Mean F1 of the classes that occur, true or predicted")
    log_loss: Figure | None = Field(
        description="In nats; null if labels are of batch predictions alone that have written no probabilities"
    )
    auc: Figure | None = Field(description="Area under the ROC curve, from binned scores; of two classes only")
    auc_error: float | None = Field(description="By how much the bins may have changed the area at most")
    calibration_error: float = Field(description="Mean distance of confidence and accuracy over the tenths")
    calibration: list[Calibration] = Field(description="Tenths that have labels")
    labels: list[str] = Field(description="Classes that occur, true or predicted")
    confusion: list[list[int]] = Field(
        description="Number of labels by true class (rows) and predicted class; empty with more than 50 classes"
    )


class QuantityPerformance(BaseModel):
    """Of a model of a quantity, in its unit. The intervals are of a bootstrap over hours."""

    mae: Figure = Field(description="Mean size of the errors")
    rmse: Figure = Field(description="Root of the mean squared error")
    bias: Figure = Field(description="Mean error: predicted less true")
    r2: Figure | None = Field(description="Share of the variance that is explained; null if all labels are the same")


class PerformanceVerdict(BaseModel):
    """About predictions that are older than the label delay, as labels that come early are not like others."""

    status: PerformanceName = Field(description="degraded: worse than on the held-out rows, beyond chance")
    metric: Literal["accuracy", "mae"] | None = Field(description="The figure that is compared")
    message: str = Field(description="The result in a sentence")
    predictions: int = Field(description="Kept predictions that are old enough")
    labels: int = Field(description="Their labels")
    coverage: float | None = Field(description="Labels per kept prediction")


class EstimatedPerformance(BaseModel):
    """An estimate without labels, from the confidences. It is no measurement.

    It holds if answers with a given confidence are right as often as on the held-out rows, and if those had all kinds
    of rows that come now. It cannot see that the same inputs now have other labels.
    """

    accuracy: float
    error: float = Field(description="Standard error, as held-out rows and predictions are samples")
    predictions: int = Field(description="Predictions in the window")


class VersionPerformance(BaseModel):
    model_version: int
    stage: Literal["Production", "Staging"] | None = Field(description="The stage that it serves now")
    predictions: int = Field(description="Kept predictions in the window, with a label or without")
    labels: int = Field(description="Their labels")
    coverage: float | None = Field(description="Labels per kept prediction")
    refused: int = Field(
        description="Labels that came before their prediction, and then were none of the model's or of no row"
    )
    classification: ClassPerformance | None = Field(description="Null for quantities, and without labels")
    regression: QuantityPerformance | None = Field(description="Null for classes, and without labels")
    estimated: EstimatedPerformance | None = Field(
        description="Null for quantities, fewer than 100 predictions, and files without accuracies by confidence"
    )
    held_out: dict[str, float] | None = Field(
        description="Metrics on the rows held out in training; null if the version serves no stage any more"
    )
    verdict: PerformanceVerdict


class PerformanceStatus(BaseModel):
    model_name: str
    start: str = Field(description="First hour of predictions, ISO 8601 in UTC")
    end: str = Field(description="End of the last hour")
    delay_hours: int = Field(description="Verdicts are about predictions that are older")
    minimum_labels: int
    minimum_coverage: float
    waiting: int = Field(description="Labels of the last 24 hours whose prediction is not known yet")
    unmatched: int = Field(description="Older labels whose prediction did not come")
    versions: list[VersionPerformance] = Field(description="Those that serve come first, then newer ones")


class PerformancePoint(BaseModel):
    start: str = Field(description="ISO 8601 in UTC")
    end: str
    predictions: int = Field(description="Kept predictions of these hours")
    labels: int
    accuracy: Figure | None = Field(description="Null for quantities, and without labels")
    log_loss: float | None
    mae: float | None = Field(description="Null for classes, and without labels")
    bias: float | None


class PerformanceHistory(BaseModel):
    model_name: str
    model_version: int
    step_hours: int
    points: list[PerformancePoint] = Field(description="By the time of the predictions, oldest first, without gaps")
