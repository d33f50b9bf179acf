"""DELETE /predict/cache: let every environment load its model again. Promotion does this, as it alone writes manifests.

The handler imports this module for this request only, because importing boto3 takes longer than a prediction.
"""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.api.auth import AccessKeys, authorise, require_name
from mlops.api.parameters import refuse_unknown
from mlops.aws.promotion_queue import CACHE_EPOCH, PromotionQueue
from mlops.domain.errors import DependencyUnavailable, ValidationFailed
from mlops.domain.model_name import RULE, is_servable
from mlops.domain.transition import new_transition_id
from predict import records, replies
from predict.request import query_of

STAGES = ("Production", "Staging")


def raise_epoch(event: dict[str, Any], request_id: str, default_model: str) -> dict[str, Any]:
    """Queue a new cache epoch for both stages of the model. Promotion skips a stage that no version serves.

    Raises:
        Forbidden: The key's role is not admin, or the key is not for this model.
        ValidationFailed: The query's `model_name` is not a valid name, or the query has another parameter.
        DependencyUnavailable: The table of keys or the promotion queue does not answer.
    """
    try:
        caller = AccessKeys.from_environment().caller(
            event["requestContext"].get("identity", {}).get("apiKeyId") or "-"
        )
        authorise(caller, "DELETE")
        asked = query_of(event)
        refuse_unknown(asked, ("model_name",))  # a misspelled one would stand for the default model
        model_name = asked.get("model_name", default_model)
        if not is_servable(model_name):
            raise ValidationFailed.of_field("model_name", RULE)
        require_name(caller, model_name)
        queue = PromotionQueue.from_environment()
        for stage in STAGES:
            queue.send(
                {
                    "kind": CACHE_EPOCH,
                    "transition_id": new_transition_id(),
                    "model_name": model_name,
                    "stage": stage,
                    "actor": caller.name,
                    "request_id": request_id,
                }
            )
    except (BotoCoreError, ClientError) as error:
        raise DependencyUnavailable("The promotion queue or the table of keys does not answer; try again") from error
    records.report("mlops.cache_epoch", request_id=request_id, model_name=model_name, actor=caller.name)
    return replies.accepted({"status": "queued", "model_name": model_name, "stages": STAGES}, request_id)
