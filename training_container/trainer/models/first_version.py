"""What requests of the first version mean today."""

from trainer.parameters import HyperparameterValue, Parameters

REQUEST_FIELDS = frozenset({"learning_rate", "epochs", "batch_size", "hidden_size", "dropout"})
"""The hyperparameters that each request of the first version had, whatever its model type."""


def translated(parameters: Parameters) -> dict[str, HyperparameterValue] | None:
    """Return the own hyperparameters that a request of the first version meant; None if it is not such a request.

    In the first version, all model types had the same fields: a forest's trees were its `hidden_size`, and C was a
    thousand times the `learning_rate`. Records and retraining recipes carry all of these fields at values, and must
    train again what they trained. `logistic_regression` is a name of that version only. The other two names are in use
    still: there, only a request that has all fields is an old one.
    """
    given = parameters.model_fields_set & REQUEST_FIELDS
    if parameters.hyperparameters:
        return None
    if parameters.model_type != "logistic_regression" and given != REQUEST_FIELDS:
        return None
    match parameters.model_type:
        case "logistic_regression" | "svm":
            return {"C": 1000 * parameters.learning_rate} if "learning_rate" in given else {}
        case "random_forest":
            return {"n_estimators": parameters.hidden_size}
    return None
