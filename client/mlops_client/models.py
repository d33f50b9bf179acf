"""The API's answers as frozen records. Generated from openapi.json: change that, then run `make openapi`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mlops_client.states import HasEnded


@dataclass(frozen=True, kw_only=True)
class Artifact:
    path: str
    """Path relative to the run. Files of a logged model are below the model's name"""
    size: int
    """Size in bytes"""


@dataclass(frozen=True, kw_only=True)
class ArtifactFile:
    path: str
    """Path relative to the run. Files of a logged model are below the model's name"""
    size: int
    """Size in bytes"""
    url: str
    """Where to GET the file, without a key, within an hour"""


@dataclass(frozen=True, kw_only=True)
class BatchFilesDeletion:
    batch_id: str
    output: str
    """The folder that has nothing in it any more"""
    freed_bytes: int
    """Bytes of all versions of the objects that are gone"""


@dataclass(frozen=True, kw_only=True)
class BatchPredictionState(HasEnded):
    batch_id: str
    status: Literal["pending", "running", "completed", "failed", "cancelled"]
    model_name: str
    model_version: int
    """The version that answers, which is pinned when the job starts"""
    model_sha256: str
    """SHA-256 of the version's file"""
    input: str
    input_files: int
    input_bytes: int
    output: str
    """The folder of the answers. They are whole when it has the object _SUCCESS"""
    keep: list[str]
    max_rejected: float
    shards: int
    """Number of jobs that share the work"""
    shards_done: int
    rows: int
    """Rows that were read so far, with those that were set aside"""
    rejected: int
    """Rows that were set aside: they are in rejected/ with the reason"""
    reasons: dict[str, int]
    """How often the commonest reasons for setting rows aside occurred"""
    vcpu_hours: float
    """Time of all jobs, times the vCPUs of each"""
    actor: str
    """Name of the API key that started it"""
    created_at: str
    completed_at: str | None = None
    error: str | None = None
    """Why it failed"""
    files_deleted_at: str | None = None
    """When its files were deleted"""
    rows_per_second: float | None = None
    """Since the first job started, all jobs together"""
    started_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class BinEntry:
    """Something that was deleted. It can be restored until `until`, and is purged after that."""

    kind: Literal["model", "version", "experiment", "run"]
    name: str
    """The model, or the experiment"""
    deleted_at: str
    until: str
    """Until when it can be restored"""
    state: Literal["claimed", "kept", "purging"]
    """claimed: it is being deleted just now. kept: it can be restored. purging: it cannot any more"""
    actor: str
    """Name of the key that deleted it; `retention` if the model's settings did"""
    reason: str
    experiment_id: str | None = None
    """Of an experiment or a run"""
    force: bool = False
    """Whether it was deleted though a rollback could bring it back"""
    run_id: str | None = None
    """Of a run"""
    version: int | None = None
    """Of a version"""
    versions: list[int] = field(default_factory=list)
    """Of a model: the versions that were deleted with it"""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    tenth: int
    """9 has the confidences from 0.9 to 1"""
    labels: int
    confidence: float
    """Mean confidence of these predictions"""
    accuracy: float
    """Share of them that was right"""


@dataclass(frozen=True, kw_only=True)
class CodeUpload:
    code: str
    """The SHA-256 of the archive, which names it in POST /runs"""
    url: str | None
    """Send the archive there with PUT and `headers`, within 15 minutes; null if it is there already"""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers that the PUT must have"""


@dataclass(frozen=True, kw_only=True)
class ColumnDetail:
    name: str
    role: Literal["input", "prediction"]
    """prediction: the answers of a model of a quantity"""
    kind: Literal["number", "boolean", "category", "presence"]
    """How values are counted; presence: only whether there is one, as of datetimes"""
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    changes: list[Literal["missing", "unseen", "below_range", "above_range", "distribution"]]
    """What gave the status"""
    message: str | None
    """What happened, in a sentence; null if the column is stable"""
    psi: float
    """Population stability index, less what chance alone gives on average"""
    raw_psi: float | None
    """That of the bins as they are, without smoothing; null if it is infinite, because a bin is empty"""
    p_value: float
    """Probability of such a PSI if there is no drift"""
    missing: float
    """Share of the rows without a value"""
    reference_missing: float
    unseen: float | None
    """Share of the rows with a category that training did not see"""
    reference_unseen: float | None
    below_range: float | None
    """Share of the rows with a number below the training range"""
    above_range: float | None
    """Share of the rows with a number above the training range"""
    bins: list[str]
    """Names of the bins: missing, then ranges of numbers, or categories"""
    counts: list[int]
    """Rows of the current window by bin"""
    reference_counts: list[int]
    """Held-out rows by bin"""


@dataclass(frozen=True, kw_only=True)
class ColumnMove:
    name: str
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    psi: float
    message: str
    """What happened, in a sentence"""


@dataclass(frozen=True, kw_only=True)
class ColumnResult:
    name: str
    role: Literal["input", "prediction"]
    """prediction: the answers of a model of a quantity"""
    kind: Literal["number", "boolean", "category", "presence"]
    """How values are counted; presence: only whether there is one, as of datetimes"""
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    changes: list[Literal["missing", "unseen", "below_range", "above_range", "distribution"]]
    """What gave the status"""
    message: str | None
    """What happened, in a sentence; null if the column is stable"""
    psi: float
    """Population stability index, less what chance alone gives on average"""
    raw_psi: float | None
    """That of the bins as they are, without smoothing; null if it is infinite, because a bin is empty"""
    p_value: float
    """Probability of such a PSI if there is no drift"""
    missing: float
    """Share of the rows without a value"""
    reference_missing: float
    unseen: float | None
    """Share of the rows with a category that training did not see"""
    reference_unseen: float | None
    below_range: float | None
    """Share of the rows with a number below the training range"""
    above_range: float | None
    """Share of the rows with a number above the training range"""


@dataclass(frozen=True, kw_only=True)
class ColumnsResult:
    """The columns of a table model against the held-out rows."""

    status: Literal["insufficient_data", "stable", "warning", "alert"]
    rows: int
    """Counted rows of the current window; of a busy hour not every row is counted"""
    reference_rows: int
    """Number of rows held out in training; 0 if there is no reference"""
    watched: int
    """Number of columns that are watched"""
    moved: int
    """Number of columns with a warning or an alert"""
    columns: list[ColumnResult]
    """The 20 columns that moved most, in this order"""
    note: str | None
    """The reason, if there is no verdict"""


@dataclass(frozen=True, kw_only=True)
class ComparedMetric:
    name: str
    values: dict[str, float | None]
    """Values by run id; null if the run has none"""
    differs: bool
    """Whether the runs have different values"""
    kind: Literal["summary", "model", "check", "epoch", "class", "own"]
    """own: logged by the run itself. The platform's trainer logs all other kinds"""
    better: Literal["higher", "lower"] | None
    """Whether higher or lower values are better, by the runs' objective or the metric's name; null if unknown"""
    best: str | None
    """Id of the run with the best value; null if `better` is null or no run is best"""


@dataclass(frozen=True, kw_only=True)
class ComparedParam:
    name: str
    values: dict[str, str | None]
    """Values by run id; null if the run has none"""
    differs: bool
    """Whether the runs have different values"""


@dataclass(frozen=True, kw_only=True)
class ContractColumn:
    name: str
    type: Literal["double", "long", "boolean", "string", "datetime"]
    required: bool
    """Whether each row needs the column"""
    proved: list[Literal["null", "absent", "unseen", "beyond"]]
    """What it takes beyond the values of training: null, rows without it, unseen text, numbers beyond low and high"""
    levels: list[str] | None
    """The text that training has seen, the most frequent first"""
    low: float | None
    """The lowest number that training has seen"""
    high: float | None
    """The highest one"""
    form: str | None
    """How CSV files write the column; null is the usual form: decimal points, true and false, ISO dates"""


@dataclass(frozen=True, kw_only=True)
class ContractExample:
    """A request that the model answers."""

    request: dict[str, Any]
    """The body of POST /predict, or of POST /predict/staging"""
    curl: str
    python: str


@dataclass(frozen=True, kw_only=True)
class ContractInput:
    """The only input of a model of images or vectors: float32 [n, features]."""

    name: str
    features: int
    image: list[int] | None
    """Rows and columns of pixels from 0 to 1"""
    framing: str | None
    """digits or mnist: digits lie in their pictures as in that data set; null if that is not known"""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The conversion of a version that was logged with plain MLflow to the ONNX file that serves."""

    model_name: str
    version: int
    conversion_id: str
    status: Literal["running", "succeeded", "failed"]
    actor: str
    """Name of the API key that requested the conversion, or the transition that needs it"""
    created_at: str
    completed_at: str | None = None
    error: str | None = None
    """Why it failed, and the remedy"""
    notes: list[str] = field(default_factory=list)
    """What the contract does not allow and why, and other remarks"""
    sha256: str | None = None
    """SHA-256 of the ONNX file"""
    task: Literal["classification", "regression"] | None = None
    """What the model predicts"""


@dataclass(frozen=True, kw_only=True)
class CreatedWebhook:
    webhook_id: str
    host: str
    """The host of the address; the rest of it is not shown, as it may be a secret"""
    events: list[str]
    models: list[str]
    format: str
    actor: str
    """Name of the API key that made it"""
    created_at: str
    secret: str
    """Signs the messages. It is shown here only"""
    description: str | None = None
    previous_secret_until: str | None = None
    """Until then the secret before the last rotation signs too"""


@dataclass(frozen=True, kw_only=True)
class DataUpload:
    input: str
    """The address to give as `input`"""
    url: str | None
    """Where to PUT the file, within an hour; null if it is there already"""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of the PUT"""


@dataclass(frozen=True, kw_only=True)
class DatasetRun:
    run_id: str
    run_name: str | None
    experiment_name: str
    status: Literal["running", "scheduled", "finished", "failed", "killed"]


@dataclass(frozen=True, kw_only=True)
class DatasetVersion:
    model_name: str
    version: int


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What somebody has decided about a transition that waits."""

    approved: bool
    name: str
    """Name of the key"""
    owner: str
    """Owner of the key"""
    at: str
    comment: str | None = None


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """When a model of two classes answers with the second one."""

    label: int | str
    threshold: float


@dataclass(frozen=True, kw_only=True)
class DeletedDataset:
    """A data set whose files and rows are deleted."""

    digest: str
    addresses: list[str]
    """The files. Those in other buckets are yours to delete"""
    runs: int
    """How many runs have read it"""
    versions: list[DatasetVersion]
    """What was made from it. The models' files keep single values, and eight rows for the self-test"""
    reason: str
    actor: str
    deleted_at: str
    completed_at: str | None = None
    """When all was gone; null as long as something is left"""


@dataclass(frozen=True, kw_only=True)
class Dependency:
    ok: bool
    detail: str
    """What the check saw"""
    age_seconds: float | None = None
    """For s3: seconds since the default model's Production manifest was written"""
    warning: str | None = None
    """What works and is not in order, with the remedy; null if there is nothing"""


@dataclass(frozen=True, kw_only=True)
class DriftRules:
    """From when on a check warns, alerts and asks for a retrain."""

    alert: float | None = None
    """The PSI of an alert"""
    minimum_samples: int | None = None
    """Without so many predictions there is no verdict"""
    retrain: float | None = None
    """The PSI of a retrain"""
    warning: float | None = None
    """The PSI of a warning"""


@dataclass(frozen=True, kw_only=True)
class EditedRun:
    experiment_id: str
    run_id: str
    tags: dict[str, str]
    """All tags of the run"""
    note: str | None


@dataclass(frozen=True, kw_only=True)
class EndedSession:
    """A personal key that has ended."""

    name: str
    """Name of the key"""
    until: str
    """When it ended"""


@dataclass(frozen=True, kw_only=True)
class EstimatedPerformance:
    """
    An estimate without labels, from the confidences. It is no measurement.

    It holds if answers with a given confidence are right as often as on the held-out rows, and if those had all kinds
    of rows that come now. It cannot see that the same inputs now have other labels.
    """

    accuracy: float
    error: float
    """Standard error, as held-out rows and predictions are samples"""
    predictions: int
    """Predictions in the window"""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What each column adds to an answer. `base` and the parts add up to what `of` says."""

    of: Literal["log_odds", "score", "probability", "value", "log_value"]
    """What they add up to: log-odds, score or probability of the class; quantity or its logarithm"""
    base: float
    """The sum if nothing is known of the row"""
    parts: dict[str, float]
    """What each column adds to it"""
    label: int | str | None = None
    """The class that is explained; missing if the model predicts a quantity"""


@dataclass(frozen=True, kw_only=True)
class FeedbackAccepted:
    status: Literal["counted", "waiting", "unchanged", "replaced", "not_sampled"]
    """unchanged: it was counted before; waiting: for its prediction; not_sampled: that was not kept"""


@dataclass(frozen=True, kw_only=True)
class FeedbackResult:
    """What became of a label of a batch: its status, or its error."""

    status: Literal["counted", "waiting", "unchanged", "replaced", "not_sampled"] | Literal["refused"]
    code: str | None
    """The error's code, if it was refused"""
    detail: str | None
    """What is wrong, and what to do"""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure with its 95 % interval."""

    value: float
    low: float | None
    """Null with labels of fewer than five hours"""
    high: float | None


@dataclass(frozen=True, kw_only=True)
class GateResult:
    check: str
    """Name of the check"""
    passed: bool
    detail: str
    """What the check measured"""
    kind: Literal["integrity", "metric"] = "integrity"
    """`force` skips metric checks only"""


@dataclass(frozen=True, kw_only=True)
class GateRules:
    """What the gate asks of a version."""

    max_latency_ms: float | None = None
    """The longest time of one prediction, in milliseconds"""
    metric_margin: float | None = None
    """How much worse the objective may be than that of the version in Production"""
    min_live_accuracy: float | None = None
    """Share of the labels of a version's own predictions that must be right"""
    proof_tolerance: float | None = None
    """The share of a proof's rows that may be answered otherwise"""


@dataclass(frozen=True, kw_only=True)
class GuardrailFigure:
    guardrail: str
    """Its name in the plan"""
    limit: float
    observations: int
    """Of how many requests that is"""
    evidence: float
    """0 to 1: at 1 there is so much evidence that the rollout is rolled back"""
    observed: float | None = None
    """What was observed; for max_latency_ratio the share of requests that exceed it, at most one half"""


@dataclass(frozen=True, kw_only=True)
class Guardrails:
    """What the challenger may not do. Each may be null: then it is not tested."""

    max_confidence_drop: float | None = None
    """How much less sure than Production the challenger may be in half of the rows. For classes"""
    max_disagreement: float | None = 0.2
    """Largest share of rows that the two versions answer differently"""
    max_error_rate: float | None = 0.01
    """Largest share of requests that only the version in Production can answer"""
    max_latency_ratio: float | None = 2.0
    """Largest time of the challenger, in times of the version in Production"""
    max_prediction_shift: float | None = None
    """In how many rows more or fewer than Production, as a share, it may answer a label"""
    min_accuracy_delta: float | None = None
    """Smallest accuracy minus that of Production, on rows with labels. For classes"""


@dataclass(frozen=True, kw_only=True)
class Health:
    status: Literal["ok"]
    version: str


@dataclass(frozen=True, kw_only=True)
class KeyEntry:
    seq: int
    """Number of the entry in the chain"""
    at: str
    """When it was seen; the table of keys is looked at every five minutes"""
    change: Literal["made", "changed", "revoked", "expired"]
    key_id: str
    name: str
    owner: str
    role: str
    models: list[str]
    sha256: str
    """Hash of the entry"""
    until: str | None = None
    """When it ends, of a personal key"""


@dataclass(frozen=True, kw_only=True)
class LabelImportState(HasEnded):
    import_id: str
    status: Literal["pending", "running", "completed", "failed"]
    model_name: str
    input: str
    files: int
    """Number of files"""
    replace: bool
    rows: int
    """Rows that were read so far"""
    counts: dict[str, int]
    """How many labels have each status, as of POST /feedback/batch"""
    actor: str
    """Name of the API key that started it"""
    created_at: str
    completed_at: str | None = None
    error: str | None = None
    """Why it failed"""
    refused_url: str | None = None
    """Serves the refused labels for an hour, without a key: CSV, with the reasons"""
    started_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class LabelRules:
    """When there is a verdict about what came true."""

    delay_hours: int | None = None
    """Verdicts are about predictions that are older"""
    min_coverage: float | None = None
    """The share of these predictions that needs to have a label"""
    min_labels: int | None = None
    """Without so many labels there is no verdict"""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    at: int
    """Time in milliseconds since 1970, UTC"""
    message: str


@dataclass(frozen=True, kw_only=True)
class Me:
    """What the key of the request may do."""

    name: str
    """Name of the key, as the history shows it"""
    owner: str
    """The person or team that the key belongs to"""
    role: str
    """predict, read, feedback, train, approve or admin; each may do what those before may"""
    models: list[str]
    """The models and experiments that the key is for; a name that ends in * stands for all names with this beginning"""
    mlflow_url: str | None = None
    """Where a browser opens MLflow; null on AWS, where its requests are signed and `mlops ui` opens it"""
    until: str | None = None
    """When a personal key ends (POST /session); null for a key that an operator has made"""


@dataclass(frozen=True, kw_only=True)
class MetricPoint:
    step: int
    value: float
    at: int
    """Time in milliseconds since 1970, UTC"""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A registered model. MLflow allows names that cannot be served; such a model is listed with the reason."""

    name: str
    latest_version: int | None
    latest_stage: str | None
    production_version: int | None
    versions: int
    """Number of versions"""
    awaiting_approval: int = 0
    """How many of its transitions wait for approval"""
    reason: str | None = None
    """Why it is not servable, with the remedy; null if it is"""
    servable: bool = True
    """Whether its versions can be promoted, and asked for predictions"""


Owner: TypeAlias = str


@dataclass(frozen=True, kw_only=True)
class ModelType:
    name: str
    """The value of `model_type`"""
    tasks: list[Literal["classification", "regression"]]
    """The tasks that it takes"""
    data: list[Literal["table", "vector", "image"]]
    """The kinds of data that it takes"""
    description: str
    hyperparameters: dict[str, Any]
    """JSON Schema of `hyperparameters`, with bounds and defaults. Only the `tasks` of a property use it"""
    space: dict[str, Any]
    """What random sweeps try by default, as far as the task uses it: lists, and ranges {low, high, log}"""
    grid: dict[str, list[Any]]
    """What grids try by default, as far as the task uses it"""
    preset: dict[str, Any]
    """The values of `"preset": "best"`"""
    gpu: bool = False
    """Whether it can train on a GPU: `resources` with `gpu` 1"""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The metric that says how good a model is."""

    name: str
    """Name of the metric, as in `metrics`"""
    direction: Literal["maximise", "minimise"]
    """Whether higher or lower values are better"""


@dataclass(frozen=True, kw_only=True)
class ObjectiveRule:
    """The metric of runs whose request names none."""

    name: str
    """As `objective` in a training request"""
    direction: Literal["maximise", "minimise"] | None = None
    """For an objective of your own: whether higher or lower is better"""


@dataclass(frozen=True, kw_only=True)
class OneTimeToken:
    """A token that is good for one time."""

    token: str
    """The token, for POST /session/token. It is not shown again"""
    until: str
    """When it ends, if nobody uses it"""


@dataclass(frozen=True, kw_only=True)
class ParamChange:
    name: str
    before: str | None
    """In the run of the version that would be replaced; null if it has none"""
    now: str | None


@dataclass(frozen=True, kw_only=True)
class PerformancePoint:
    start: str
    """ISO 8601 in UTC"""
    end: str
    predictions: int
    """Kept predictions of these hours"""
    labels: int
    accuracy: Figure | None
    """Null for quantities, and without labels"""
    log_loss: float | None
    mae: float | None
    """Null for classes, and without labels"""
    bias: float | None


@dataclass(frozen=True, kw_only=True)
class PerformanceVerdict:
    """About predictions that are older than the label delay, as labels that come early are not like others."""

    status: Literal["insufficient_data", "ok", "degraded"]
    """degraded: worse than on the held-out rows, beyond chance"""
    metric: Literal["accuracy", "mae"] | None
    """The figure that is compared"""
    message: str
    """The result in a sentence"""
    predictions: int
    """Kept predictions that are old enough"""
    labels: int
    """Their labels"""
    coverage: float | None
    """Labels per kept prediction"""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    prediction: int | str | float
    """Label of the most probable class, or by the decision threshold; or the quantity, if the model predicts one"""
    model_name: str
    model_version: int
    model_stage: Literal["Production", "Staging"]
    confidence: float | None = None
    """Probability of that class; a model that predicts a quantity has none"""
    decision_threshold: float | None = None
    """Of a model of two classes that has one: the probability of the second class from which on it is the answer"""
    explanation: Explanation | None = None
    """With ?explain=…, what each column adds to this answer; null if that cannot be said exactly"""
    explanation_reason: str | None = None
    """Why an explanation is null; missing if none is"""
    prediction_id: str | None = None
    """Id of the answer, with which its label comes back later: POST /feedback"""
    probabilities: list[float] | dict[str, float] | None = None
    """Probability of each class: a list in the order of the model's labels; of a row, an object by label"""
    variant: Literal["canary"] | None = None
    """canary: the challenger of a rollout has answered; missing otherwise"""
    warnings: list[str] | None = None
    """What to know about the answers, such as values that were not seen in training; missing if nothing"""


@dataclass(frozen=True, kw_only=True)
class PredictionIds:
    ids: list[str | int] = field(default_factory=list)
    prediction_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Progress:
    epoch: int
    """Epochs completed"""
    epochs: int
    """Number of epochs; 0 if it is not known, as of your own code that does not say it"""


@dataclass(frozen=True, kw_only=True)
class PromotionComparison:
    """A version that waits for approval, beside the one that it would replace."""

    metrics: dict[str, str]
    replaced_metrics: dict[str, str]
    params: list[ParamChange]
    """The parameters that differ, at most 100 of them"""
    params_changed: int
    """How many differ"""
    dataset_digest: str | None = None
    replaced_dataset_digest: str | None = None
    replaced_version: int | None = None


@dataclass(frozen=True, kw_only=True)
class PushUpload:
    sha256: str
    """Which content to send"""
    url: str
    """Send it there with PUT and `headers`, within an hour"""
    headers: dict[str, str]
    """Headers that the PUT must have"""


@dataclass(frozen=True, kw_only=True)
class QuantityPerformance:
    """Of a model of a quantity, in its unit. The intervals are of a bootstrap over hours."""

    mae: Figure
    """Mean size of the errors"""
    rmse: Figure
    """Root of the mean squared error"""
    bias: Figure
    """Mean error: predicted less true"""
    r2: Figure | None
    """Share of the variance that is explained; null if all labels are the same"""


@dataclass(frozen=True, kw_only=True)
class Ready:
    status: Literal["ready", "degraded"]
    dependencies: dict[str, Dependency]
    """By name: dynamodb, s3 and tracking (MLflow)"""


@dataclass(frozen=True, kw_only=True)
class Remaining:
    place: str
    """What still has something of the predictions"""
    days: int
    """After so many days it goes by itself, at the latest"""


@dataclass(frozen=True, kw_only=True)
class RetentionRules:
    """Which versions a weekly cleanup puts into the bin: those that no rule keeps. Without a rule, none."""

    archived_days: int | None = None
    """Only versions that have been archived for so many days"""
    keep_versions: int | None = None
    """Never one of the newest so many versions"""


@dataclass(frozen=True, kw_only=True)
class RetrainRules:
    """Whether and how drift, or a loss that labels show, trains the model again."""

    cooldown_hours: float | None = None
    """Hours between two retrains that checks ask for"""
    on_drift: bool | None = None
    """Whether drift asks for a retrain"""
    on_performance: bool | None = None
    """Whether a performance that is worse than in training asks for a retrain"""
    runs: int | None = None
    """Runs of a retrain"""
    stage: Literal["Staging", "Production", "none"] | None = None
    """Where the best run's version goes"""


@dataclass(frozen=True, kw_only=True)
class RolloutCounts:
    requests: int
    """Requests to the model, whichever version answered"""
    canary: int
    """Requests that the challenger answered"""
    asked: int
    """Requests for which the challenger was asked, to answer or to be compared"""
    failed: int
    """Of those, the ones that only the version in Production could answer"""
    skipped: int
    """Requests for which the challenger was not loaded, or had no time"""
    pairs: int
    """Requests that both versions answered"""
    disagreed: int
    """Of those, in thousandths: the shares of rows that were answered differently"""
    slower: int
    """Of the pairs, those where the challenger exceeded max_latency_ratio"""
    unsure: int
    """Of the pairs, in thousandths: the shares of rows where it exceeded max_confidence_drop"""
    moved: dict[str, int]
    """Likewise: where only the challenger (g3) or only Production (l3) has answered the label 3"""
    labelled: int
    """Rows that both versions answered, and whose label is known"""
    lost: int
    """Of those, the rows that only Production answered right"""
    won: int
    """Of those, the rows that only the challenger answered right"""


@dataclass(frozen=True, kw_only=True)
class Run:
    run_id: str
    run_name: str | None
    metrics: dict[str, float]
    params: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class RunDataset:
    name: str
    digest: str
    """Of the data, as the run has logged it: for the platform's trainer a SHA-256's beginning"""
    context: str | None = None
    """What the run has used it for, such as training"""


@dataclass(frozen=True, kw_only=True)
class RunRow:
    run_id: str
    run_name: str | None
    metrics: dict[str, float]
    params: dict[str, str]
    status: Literal["running", "scheduled", "finished", "failed", "killed"]
    started_at: str | None
    """ISO 8601; null if MLflow has none, or no valid date"""
    ended_at: str | None
    """ISO 8601; null while it runs, or if MLflow has no valid date"""
    objective: Objective | None = None
    """The metric that says how good the run is; null if its direction is not known"""
    own_metrics: list[str] = field(default_factory=list)
    """Names of the metrics that the run has logged itself: all that the platform's trainer does not log"""


@dataclass(frozen=True, kw_only=True)
class RunVersion:
    model_name: str
    version: int
    stage: str
    """Registered, Staging, Production or Archived"""


@dataclass(frozen=True, kw_only=True)
class ServedModelFile:
    model_name: str
    model_version: int
    stage: str
    sha256: str
    size: int
    url: str
    """Serves the ONNX file for an hour, without a key"""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A personal key, and what it may do."""

    key: str
    """The API key, for the header x-api-key. It is not shown again"""
    name: str
    """Name of the key, as the history shows it"""
    owner: str
    """The person whom the key belongs to"""
    role: str
    """predict, read, feedback, train, approve or admin; each may do what those before may"""
    models: list[str]
    """The models and experiments that the key is for; a name that ends in * stands for all names with this beginning"""
    until: str
    """When the key ends"""


@dataclass(frozen=True, kw_only=True)
class SignalResult:
    signal: Literal["predictions", "confidence", "mean_intensity", "ink_share", "block_means"]
    psi: float
    """Population stability index; for block means, Jeffreys' divergence"""
    p_value: float
    """Probability of a PSI at least this high if there is no drift"""
    significant: bool
    """Whether the p-value is below alpha, divided by the number of comparisons"""
    status: Literal["insufficient_data", "stable", "warning", "alert"]


@dataclass(frozen=True, kw_only=True)
class Signature:
    """MLflow's signature, whose parts are JSON in a string."""

    inputs: str
    outputs: str
    params: str | None


@dataclass(frozen=True, kw_only=True)
class SignedFile:
    name: str
    """Path of the file in the folder of the output"""
    size: int
    url: str
    """Serves the file for an hour, without a key"""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A share of the callers, for some time."""

    weight: float
    """Percent of the routing keys that the challenger answers"""
    minutes: int
    """The step takes at least so long"""
    max_minutes: int = 10080
    """If the step has not seen enough by then, the rollout is aborted"""
    min_labels: int = 0
    """The step waits until so many rows that both versions answered have a label"""
    min_requests: int = 100
    """The step waits until the challenger has answered so many requests"""


@dataclass(frozen=True, kw_only=True)
class SweepAccepted:
    sweep_id: str
    job_ids: list[str]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    warning: float
    """PSI at or above which the status is warning"""
    alert: float
    """PSI at or above which the status is alert"""
    retrain: float
    """PSI at or above which drift may request a retrain"""
    alpha: float
    """Allowed probability of a false verdict in one check"""
    minimum_samples: int
    """Number of predictions below which there is no verdict"""
    share_warning: float
    """Growth of the share of missing, unseen or out-of-range values: warning"""
    share_alert: float
    """Growth of such a share from which the status is alert"""
    columns_alpha: float
    """Allowed probability of a false verdict on any column in 30 days"""


@dataclass(frozen=True, kw_only=True)
class TrainAccepted:
    message: str
    """Where to follow the run"""
    job_id: str
    experiment_name: str
    status: Literal["pending", "running", "completed", "failed", "cancelled", "pruned"]


@dataclass(frozen=True, kw_only=True)
class Transition:
    transition_id: str
    model_name: str
    version: int
    stage: str
    status: Literal["queued", "converting", "awaiting_approval", "awaiting_rollout", "succeeded", "rejected", "failed"]
    """converting: to ONNX, by a job. awaiting_approval: see `decisions`. awaiting_rollout: see `rollout_id`"""
    actor: str
    """Name of the API key that requested it"""
    created_at: str
    actor_owner: str | None = None
    """Owner of the key that requested it"""
    approvals_needed: int = 0
    """How many people have to approve it"""
    comparison: PromotionComparison | None = None
    """What an approver is shown"""
    completed_at: str | None = None
    decisions: list[Decision] = field(default_factory=list)
    """What people have decided. Without a decision it is rejected after seven days"""
    error: str | None = None
    """The reason, if the transition was rejected or failed"""
    force: bool = False
    from_stage: str | None = None
    """The version's previous stage"""
    gates: list[GateResult] = field(default_factory=list)
    """Results of the checks"""
    kind: Literal["transition", "mend"] = "transition"
    """mend: a repair after an alias or a manifest was changed without the API"""
    reason: str | None = None
    replaced_version: int | None = None
    """The version that was in the stage before"""
    rollout_id: str | None = None
    """The rollout whose last step it is; an approval is for the rollout too"""
    sha256: str | None = None
    """SHA-256 of the ONNX file that the gate admitted. The version is bound to this file"""
    void: str | None = None
    """Why earlier approvals do not count any more"""
    waiting_since: str | None = None
    """When it began to wait for approval"""


@dataclass(frozen=True, kw_only=True)
class UsedDataset:
    name: str
    digest: str
    """Of the data: other content has another digest"""
    runs: int
    """How many runs have used it"""
    last_used_at: str | None
    """Start of the newest of these runs; null if MLflow has no valid date"""
    experiments: list[str]
    latest_runs: list[DatasetRun]
    """The newest of its runs, at most five"""
    deleted_at: str | None = None
    """When its files and rows were deleted"""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Whether the history is as it was written."""

    valid: bool
    entries: int
    """Entries of the chain"""
    problem: str | None = None
    """The first entry or transition that is wrong, and how"""
    sha256: str | None = None
    """Hash of the last entry. Compare it with one that you have kept elsewhere"""


@dataclass(frozen=True, kw_only=True)
class WebhookDelivery:
    message_id: str
    """The header webhook-id, which is the same for each try"""
    event_type: str
    state: Literal["pending", "retrying", "delivered", "dead"]
    attempts: int
    """How many tries have begun"""
    created_at: str
    delivered_at: str | None = None
    error: str | None = None
    """Why the last try failed; null while it runs, and if it was stopped"""
    last_attempt_at: str | None = None
    next_attempt_at: str | None = None
    """When the next try is due; null if none follows"""
    response_status: int | None = None
    """The status of the last try's answer, if there was one"""


@dataclass(frozen=True, kw_only=True)
class WebhookDetail:
    webhook_id: str
    host: str
    """The host of the address; the rest of it is not shown, as it may be a secret"""
    events: list[str]
    models: list[str]
    format: str
    actor: str
    """Name of the API key that made it"""
    created_at: str
    deliveries: list[WebhookDelivery]
    """The last 20, the newest first; kept for 30 days"""
    dead_letters: list[WebhookDelivery]
    """The last 20 whose tries have all failed, the newest first; kept for 30 days"""
    description: str | None = None
    previous_secret_until: str | None = None
    """Until then the secret before the last rotation signs too"""


@dataclass(frozen=True, kw_only=True)
class WebhookSecret:
    webhook_id: str
    secret: str
    """Signs the messages from now on. It is shown here only"""
    previous_secret_until: str
    """Until then the secret before signs too"""


@dataclass(frozen=True, kw_only=True)
class WebhookState:
    webhook_id: str
    host: str
    """The host of the address; the rest of it is not shown, as it may be a secret"""
    events: list[str]
    models: list[str]
    format: str
    actor: str
    """Name of the API key that made it"""
    created_at: str
    description: str | None = None
    previous_secret_until: str | None = None
    """Until then the secret before the last rotation signs too"""


@dataclass(frozen=True, kw_only=True)
class WebhookTestAccepted:
    webhook_id: str
    message_id: str
    """The message that is sent; GET /webhooks/{webhook_id} shows what became of it"""


@dataclass(frozen=True, kw_only=True)
class Window:
    start: str
    """First hour, ISO 8601 in UTC"""
    end: str
    """End of the last hour; the baseline ends where the current window starts"""
    hours: int
    samples: int
    """Number of predictions"""


@dataclass(frozen=True, kw_only=True)
class BatchPrediction:
    predictions: list[int | str | float]
    """Label of the most probable class, or by the decision threshold; or the quantity, for each input"""
    model_name: str
    model_version: int
    batch_size: int
    """Number of inputs"""
    confidences: list[float] | None = None
    """Probability of that class, for each input; a model that predicts quantities has none"""
    decision_threshold: float | None = None
    """Of a model of two classes that has one: the probability of the second class from which on it is the answer"""
    explanation_reason: str | None = None
    """Why an explanation is null; missing if none is"""
    explanations: list[Explanation | None] | None = None
    """With ?explain=…, the explanation of each row; null if the model's answers have none"""
    prediction_id: str | None = None
    """Id of the answer; with the number of a row, from 0, its label comes back later: POST /feedback"""
    variant: Literal["canary"] | None = None
    """canary: the challenger of a rollout has answered; missing otherwise"""
    warnings: list[str] | None = None
    """What to know about the answers, such as values that were not seen in training; missing if nothing"""


@dataclass(frozen=True, kw_only=True)
class ClassPerformance:
    """Of a classifier. The interval of the accuracy is Wilson's; the others are of a bootstrap over hours."""

    accuracy: Figure
    macro_f1: Figure
    """Mean F1 of the classes that occur, true or predicted"""
    log_loss: Figure | None
    """In nats; null if labels are of batch predictions alone that have written no probabilities"""
    auc: Figure | None
    """Area under the ROC curve, from binned scores; of two classes only"""
    auc_error: float | None
    """By how much the bins may have changed the area at most"""
    calibration_error: float
    """Mean distance of confidence and accuracy over the tenths"""
    calibration: list[Calibration]
    """Tenths that have labels"""
    labels: list[str]
    """Classes that occur, true or predicted"""
    confusion: list[list[int]]
    """Number of labels by true class (rows) and predicted class; empty with more than 50 classes"""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    experiment_id: str
    name: str
    runs: list[RunRow]
    params: list[ComparedParam]
    """Those with different values come first"""
    metrics: list[ComparedMetric]
    """Those with different values come first"""


@dataclass(frozen=True, kw_only=True)
class ComparisonResult:
    against: Literal["reference", "baseline"]
    """reference: the rows held out in training; baseline: the hours before the current window"""
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    samples: int
    """Number of predictions, or of held-out rows, that the current window is compared with"""
    signals: list[SignalResult]
    note: str | None = None
    """The reason, if there is no verdict"""


@dataclass(frozen=True, kw_only=True)
class DriftColumns:
    model_name: str
    model_version: int
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    message: str
    """The result in a sentence"""
    thresholds: Thresholds
    current: Window
    rows: int
    """Counted rows of the current window; of a busy hour not every row is counted"""
    reference_rows: int
    """Number of rows held out in training; 0 if there is no reference"""
    columns: list[ColumnDetail]
    """Those that moved most come first"""


@dataclass(frozen=True, kw_only=True)
class DriftPoint:
    start: str
    """ISO 8601 in UTC"""
    end: str
    """ISO 8601 in UTC; the last point ends with the current hour"""
    samples: int
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    psi: float | None
    """PSI of the signal that gave the status; null with insufficient data"""
    signal: str | None
    """The signal that gave the status"""
    column: str | None
    """The column that gave the status, alone or with a signal"""
    signals: list[SignalResult]
    """Empty with insufficient data"""
    columns: list[ColumnMove]
    """Columns with a warning or an alert, at most 20"""
    note: str | None
    """The reason, if there is no verdict"""


@dataclass(frozen=True, kw_only=True)
class DriftStatus:
    model_name: str
    model_version: int
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    psi: float | None
    """PSI of the signal that gave the status; null with insufficient data"""
    signal: str | None
    """The signal that gave the status"""
    column: str | None
    """The column that gave the status, alone or with a signal"""
    against: Literal["reference", "baseline"] | None
    """The comparison that gave the status"""
    message: str
    """The result in a sentence"""
    thresholds: Thresholds
    comparisons: list[ComparisonResult]
    columns: ColumnsResult | None
    """Null for models of images and vectors"""
    current: Window
    baseline: Window
    reference_samples: int
    """Number of rows held out in training; 0 if there is no reference"""
    current_distribution: dict[str, float]
    """Share of each class in the current window"""
    baseline_distribution: dict[str, float]
    """Share of each class in the baseline"""
    reference_distribution: dict[str, float] | None
    """Share of each class among the rows held out in training"""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    experiment_id: str
    name: str
    total_runs: int
    objective: Objective
    """The objective of the newest run that has a value of its own objective; accuracy if none has"""
    best_run: Run | None
    """The best of the runs with this objective"""


@dataclass(frozen=True, kw_only=True)
class FeedbackBatchResult:
    results: list[FeedbackResult]
    """In the order of the labels"""
    counts: dict[str, int]
    """How many labels have each status"""


@dataclass(frozen=True, kw_only=True)
class Job(HasEnded):
    job_id: str
    experiment_name: str
    status: Literal["pending", "running", "completed", "failed", "cancelled", "pruned"]
    progress: Progress
    created_at: str
    completed_at: str | None = None
    cost_usd: float | None = None
    """What it has cost on AWS in US dollars, by list prices; null if it has not ended"""
    error: str | None = None
    """The reason, if the run failed, was cancelled or was pruned, with that of AWS Batch"""
    metrics: dict[str, float] = field(default_factory=dict)
    model_name: str | None = None
    """Name of the registered model to which the run adds a version"""
    model_version: int | None = None
    """The version that the run has registered"""
    objective: Objective | None = None
    """The metric that says how good the run is; null if this version of the platform does not know it"""
    params: dict[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    """Id of the MLflow run; null until it has started"""
    started_at: str | None = None
    sweep_id: str | None = None
    """The sweep that the run belongs to"""


@dataclass(frozen=True, kw_only=True)
class KeyHistory:
    """Which keys were made, changed and revoked, the newest first."""

    entries: list[KeyEntry]
    verification: Verification


@dataclass(frozen=True, kw_only=True)
class ModelContract:
    """What a version takes and gives."""

    model_name: str
    model_version: int
    model_stage: Literal["Production", "Staging"]
    sha256: str
    """SHA-256 of the ONNX file"""
    task: Literal["classification", "regression"]
    target: str | None
    """What the model predicts; null if the model does not say it"""
    labels: list[int | str]
    """The classes; empty if the model predicts a quantity"""
    signature: Signature
    columns: list[ContractColumn] | None
    """The columns of a table; null for images and vectors"""
    input: ContractInput | None
    """The input of a model of images or vectors; null for tables"""
    example: ContractExample
    decision: DecisionRule | None = None
    """Of two classes: which one is the answer from which probability on; missing without a threshold"""


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    version: int
    stage: str
    """Registered, Staging, Production or Archived"""
    run_id: str | None
    metrics: dict[str, float]
    sha256: str | None
    """SHA-256 of the ONNX file"""
    created_at: str
    experiment_name: str | None = None
    """The experiment of the run; null if the key is not for it, or if it was deleted"""
    objective: Objective | None = None
    """The metric that the gate compares; null if its direction is not known"""


@dataclass(frozen=True, kw_only=True)
class PerformanceHistory:
    model_name: str
    model_version: int
    step_hours: int
    points: list[PerformancePoint]
    """By the time of the predictions, oldest first, without gaps"""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Steps and guardrails."""

    steps: list[Step]
    """With growing weights"""
    bake_days: int = 0
    """For so long labels that come later can still bring the version before back"""
    guardrails: Guardrails | None = None
    shadow_minutes: int = 30
    """For so long the challenger is asked, and nobody gets its answers; 0: no such"""
    shadow_share: float = 0.25
    """Share of the requests, in every step, for which both versions are asked and compared"""


@dataclass(frozen=True, kw_only=True)
class PredictionDeletion:
    """What was deleted. Counts that were made of it stay: they say nothing about anybody."""

    model_name: str
    removed: dict[str, int]
    """Requests' answers, labels of their rows, and hours whose sampled inputs are gone"""
    not_found: PredictionIds
    """Nothing was kept of these. What comes late is not kept either"""
    left: PredictionIds
    """There was no time for these; send them again"""
    remaining: list[Remaining]


@dataclass(frozen=True, kw_only=True)
class PushState:
    version: int | None
    """The version here; null as long as contents are missing"""
    created: bool
    """Whether this request has registered it; false if it was there before"""
    sha256: str | None
    """SHA-256 of the ONNX file; null if the model has to be converted first"""
    uploads: list[PushUpload] = field(default_factory=list)
    """Contents that are missing. Upload them, and send the same request again"""


@dataclass(frozen=True, kw_only=True)
class Rollout(HasEnded):
    rollout_id: str
    model_name: str
    version: int
    """The challenger"""
    champion: int
    """The version in Production when it began"""
    sha256: str
    """SHA-256 of the challenger's file"""
    status: Literal[
        "awaiting_approval",
        "starting",
        "running",
        "paused",
        "promoting",
        "baking",
        "returning",
        "succeeded",
        "rolled_back",
        "aborted",
        "failed",
        "rejected",
    ]
    """awaiting_approval: somebody else has to approve it first, see `approval`. rejected: it never began"""
    phase: int
    """Index of the present phase. The shadow, if there is one, is the first"""
    weight: float
    """Percent of the routing keys that the challenger answers now"""
    plan: Plan
    actor: str
    """Name of the API key that requested it"""
    created_at: str
    phase_began_at: str
    approval: Transition | None = None
    """The transition that somebody has to approve, or has: gates, comparison, decisions; not in lists"""
    broken: str | None = None
    """The guardrail that has ended it"""
    completed_at: str | None = None
    figures: list[GuardrailFigure] = field(default_factory=list)
    """What is known about each guardrail"""
    note: str | None = None
    """What it waits for, or why it ended"""
    phases: list[RolloutCounts] | None = None
    """What the requests of each phase have shown; not in lists"""
    reason: str | None = None
    rollback_id: str | None = None
    """The transition that brings the version before back, from Production"""
    transition_id: str | None = None
    """The transition to Production, its last step"""


@dataclass(frozen=True, kw_only=True)
class RunDetail:
    run_id: str
    run_name: str | None
    metrics: dict[str, float]
    params: dict[str, str]
    status: Literal["running", "scheduled", "finished", "failed", "killed"]
    started_at: str | None
    """ISO 8601; null if MLflow has none, or no valid date"""
    ended_at: str | None
    """ISO 8601; null while it runs, or if MLflow has no valid date"""
    experiment_id: str
    experiment_name: str
    tags: dict[str, str]
    artifacts: list[Artifact]
    metric_history: dict[str, list[MetricPoint]]
    """Points by metric. A long history is thinned evenly to about 500 points"""
    datasets: list[RunDataset] = field(default_factory=list)
    """The data that the run has read"""
    objective: Objective | None = None
    """The metric that says how good the run is; null if its direction is not known"""
    own_metrics: list[str] = field(default_factory=list)
    """Names of the metrics that the run has logged itself: all that the platform's trainer does not log"""
    versions: list[RunVersion] = field(default_factory=list)
    """The versions that were registered from the run"""


@dataclass(frozen=True, kw_only=True)
class SweepState(HasEnded):
    sweep_id: str
    status: Literal["pending", "running", "completed", "failed", "cancelled", "pruned"]
    experiment_name: str
    model_name: str
    num_runs: int
    runs: list[Job]
    """Ranked by the objective, the best first; runs without it come last"""
    created_at: str
    best: Job | None = None
    """The best run so far"""
    completed_at: str | None = None
    cost_usd: float | None = None
    """What those of its runs that have ended have cost, estimated"""
    error: str | None = None
    """The reason, if the sweep failed"""
    model_version: int | None = None
    """The version registered from the best run"""
    objective: Objective | None = None
    """Ranks the runs on the rows for validation, as val_accuracy; a single run: accuracy. Null: unknown"""
    transition_id: str | None = None
    """The transition of that version to `stage`"""
    unranked: dict[str, str] = field(default_factory=dict)
    """Why runs that completed or were pruned have no rank, by job id"""


@dataclass(frozen=True, kw_only=True)
class VersionPerformance:
    model_version: int
    stage: Literal["Staging", "Production"] | None
    """The stage that it serves now"""
    predictions: int
    """Kept predictions in the window, with a label or without"""
    labels: int
    """Their labels"""
    coverage: float | None
    """Labels per kept prediction"""
    refused: int
    """Labels that came before their prediction, and then were none of the model's or of no row"""
    classification: ClassPerformance | None
    """Null for quantities, and without labels"""
    regression: QuantityPerformance | None
    """Null for classes, and without labels"""
    estimated: EstimatedPerformance | None
    """Null for quantities, fewer than 100 predictions, and files without accuracies by confidence"""
    held_out: dict[str, float] | None
    """Metrics on the rows held out in training; null if the version serves no stage any more"""
    verdict: PerformanceVerdict


@dataclass(frozen=True, kw_only=True)
class DriftHistory:
    model_name: str
    model_version: int
    start: str
    """Start of the first point, ISO 8601 in UTC"""
    end: str
    """End of the last point"""
    step_hours: int
    """Hours that each point covers"""
    against: Literal["reference", "baseline"]
    """What each point is compared with: the reference, or for a version without one the 168 hours before `start`"""
    against_samples: int
    """Number of predictions or held-out rows that points are compared with"""
    thresholds: Thresholds
    points: list[DriftPoint]
    """Oldest first, without gaps"""


@dataclass(frozen=True, kw_only=True)
class ModelDetail:
    name: str
    production_version: int | None
    staging_version: int | None
    versions: list[ModelVersion]
    """A page of versions, newest first"""
    next_cursor: str | None = None
    production_refusal: str | None = None
    """Why the gate would no longer admit the version that serves in Production; null if it would"""
    reason: str | None = None
    """Why it is not servable, with the remedy; null if it is"""
    servable: bool = True
    """Whether its versions can be promoted, and asked for predictions"""
    staging_refusal: str | None = None
    """The same, for the version in Staging"""


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The settings of a model. What is null, or left out, is as the template's parameters say."""

    approvals: dict[Literal["Staging", "Production"], int] | None = None
    """How many people have to approve a transition to a stage, besides the one who asks for it"""
    decision_threshold: float | None = None
    """Of new versions, if a request has none: the second of two classes is the answer from it on"""
    description: str = ""
    drift: DriftRules = field(default_factory=lambda: DriftRules())
    gate: GateRules = field(default_factory=lambda: GateRules())
    labels: LabelRules = field(default_factory=lambda: LabelRules())
    objective: ObjectiveRule | None = None
    """Ranks runs, and is what the gate compares, where a request names none"""
    owners: list[Owner] | None = None
    """Who is told that a transition waits for approval"""
    retention: RetentionRules = field(default_factory=lambda: RetentionRules())
    retrain: RetrainRules = field(default_factory=lambda: RetrainRules())
    rollout: Plan | None = None
    """The plan of rollouts; what a request says itself comes in its place"""
    tags: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class PerformanceStatus:
    model_name: str
    start: str
    """First hour of predictions, ISO 8601 in UTC"""
    end: str
    """End of the last hour"""
    delay_hours: int
    """Verdicts are about predictions that are older"""
    minimum_labels: int
    minimum_coverage: float
    waiting: int
    """Labels of the last 24 hours whose prediction is not known yet"""
    unmatched: int
    """Older labels whose prediction did not come"""
    versions: list[VersionPerformance]
    """Those that serve come first, then newer ones"""


@dataclass(frozen=True, kw_only=True)
class SettingsState:
    model_name: str
    version: int
    """Counts the changes; 0 if nobody has set any"""
    settings: ModelSettings
    """What was set"""
    effective: ModelSettings
    """What holds: what was set, and the stack's parameters for all else"""
    changed_at: str | None = None
    changed_by: str | None = None
    """Name of the key that changed them last"""
    reason: str | None = None
