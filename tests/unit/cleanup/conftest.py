"""Fixtures: the function cleanup over moto's tables and bucket, with MLflow in memory."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest

from cleanup.orphans import Orphans
from cleanup.purging import Purging
from cleanup.retention import Retention
from cleanup.weekly import Weekly
from deletions import app
from deletions.datasets import DatasetDeletions
from deletions.experiments import ExperimentDeletions
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.bin import Bin
from mlops.aws.bin_records import PART
from mlops.aws.bucket_folders import BucketFolders
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import Write
from mlops.aws.eventbridge import Events
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.jobs_table import JobsTable
from mlops.aws.model_history import ModelHistory
from mlops.aws.rollout_files import RolloutFiles
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.stages import ALIASES, Stage
from mlops.domain.transition import Transition, TransitionStatus, new_transition_id
from mlops.removal.data_rows import DataRows
from mlops.removal.deletions import Deletions
from mlops.removal.keepers import Keepers
from mlops.removal.mirror import Mirror
from tests.support import gateway
from tests.support.crashes import Effects, Watched
from tests.support.tables import make_table
from tests.unit.cleanup.fakes import FakeRegistry

MODEL = "churn"
BUCKET = "artifacts"
Ask = Callable[..., tuple[int, dict[str, Any]]]


class WatchedTable(DynamoTable):
    """A table whose single and transactional writes are counted."""

    def __init__(self, table: Any, effects: Effects) -> None:
        super().__init__(Watched(table, effects))
        self._effects = effects

    def transact(self, writes: Any) -> None:
        written: list[Write] = list(writes)
        super().transact(written)
        self._effects.happened("transact_write_items")

    def delete(self, *arguments: Any, **named: Any) -> bool:
        deleted = super().delete(*arguments, **named)
        self._effects.happened("delete_item")
        return deleted


class World:
    """The model `churn` with four versions, and what can name them."""

    def __init__(self) -> None:
        self.effects = Effects()
        self.s3 = boto3.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.registry = FakeRegistry(self.effects, BUCKET)
        self.rows = make_table("GovernanceTable", "governance")
        self.transitions = TransitionsTable(DynamoTable(make_table("TransitionsTable", "transitions")))
        self.history = ModelHistory(GovernanceTable(WatchedTable(self.rows, self.effects)), self.transitions)
        self.rollouts = RolloutsTable(DynamoTable(make_table("RolloutsTable", "rollouts")))
        self.batches = BatchPredictionsTable(DynamoTable(make_table("BatchPredictionsTable", "batches")))
        self.conversions = ConversionsTable(DynamoTable(make_table("ConversionsTable", "conversions")))
        self.jobs = JobsTable(DynamoTable(make_table("JobsTable", "jobs")))
        self.folders, self.events = BucketFolders(BUCKET), Events("default")
        self.folders._s3 = Watched(self.folders._s3, self.effects)
        self.files, self.served = RolloutFiles(BUCKET), ServedModels(BUCKET)
        self.keepers = Keepers(self.transitions, self.rollouts, self.files, self.served, self.batches, self.conversions)
        self.bin = Bin(self.history)
        for _ in range(4):
            self.registry.add_version(MODEL)

    @property
    def tracking(self) -> Any:
        return self.registry

    def deletions(self) -> Deletions:
        return Deletions(self.tracking, self.bin, self.keepers)

    def experiments(self) -> ExperimentDeletions:
        return ExperimentDeletions(self.tracking, self.bin, self.deletions())

    def purging(self) -> Purging:
        return Purging(self.tracking, self.bin, self.keepers, self.folders)

    def orphans(self) -> Orphans:
        records = self.history.governance.cleanups
        return Orphans(self.tracking, self.folders, records, self.conversions, self.jobs)

    def weekly(self) -> Weekly:
        retention = Retention(self.tracking, self.history, self.keepers, self.deletions())
        records = self.history.governance.cleanups
        parts = (retention, self.purging(), self.orphans(), self.mirror(), self.bin, records)
        return Weekly(*parts, self.events)

    def put(self, *keys: str) -> None:
        """Write objects of ten bytes twice, so that each has an old version."""
        for key in keys * 2:
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"0123456789")

    def objects(self) -> list[str]:
        """The keys of the bucket, also those that only have old versions."""
        answer = self.s3.list_object_versions(Bucket=BUCKET)
        return sorted({each["Key"] for each in (*answer.get("Versions", ()), *answer.get("DeleteMarkers", ()))})

    def rows_of_data(self) -> DataRows:
        return DataRows(self.tracking, self.history.governance.datasets, self.folders)

    def datasets(self) -> DatasetDeletions:
        return DatasetDeletions(self.tracking, self.history.governance, self.rows_of_data(), self.jobs, self.batches)

    def mirror(self) -> Mirror:
        return Mirror(self.tracking, self.bin.records)

    def moved(self, version: int, stage: Stage = Stage.PRODUCTION, at: str | None = None, **changes: Any) -> None:
        """A transition that has succeeded, as promotion leaves everything."""
        made = Transition(new_transition_id(), MODEL, version, stage, "ann", **changes)
        self.transitions.create(made)
        self.transitions.finish(made, TransitionStatus.SUCCEEDED)
        if at is not None:
            key = {"model_name": MODEL, "transition_id": made.transition_id}
            self.transitions._table.update(key, {"completed_at": at})
        aliases = self.registry.registered[MODEL].aliases
        for alias in [alias for alias, holder in aliases.items() if holder == version]:
            del aliases[alias]
        if stage in ALIASES:
            aliases[ALIASES[stage]] = version

    def age(self, identity: str, **values: Any) -> None:
        """Change the record of something in the bin, such as the time until which it is kept."""
        names = {f"#{name}": name for name in values}
        self.rows.update_item(
            Key={"part": PART, "item": identity},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )

    def entries(self, chain: str = MODEL) -> list[dict[str, Any]]:
        """What the history says of the bin, the oldest first."""
        entries = self.history.governance.examined(chain)[0]
        found = [json.loads(entry.text) for entry in entries]
        return [entry["detail"] for entry in found if entry["kind"] == "bin"]

    def check_history(self, chain: str = MODEL) -> None:
        assert self.history.governance.examined(chain)[2] is None


@pytest.fixture
def world(aws: None) -> World:
    return World()


@pytest.fixture
def ask(world: World, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setattr(Deletions, "from_environment", world.deletions)
    monkeypatch.setattr(ExperimentDeletions, "from_environment", world.experiments)
    monkeypatch.setattr(Mirror, "from_environment", world.mirror)
    monkeypatch.setattr(DataRows, "from_environment", world.rows_of_data)
    monkeypatch.setattr(DatasetDeletions, "from_environment", world.datasets)
    monkeypatch.setattr(Weekly, "from_environment", world.weekly)
    monkeypatch.setattr(Bin, "from_environment", lambda: world.bin)
    monkeypatch.setenv("ACCESS_KEYS_TABLE", gateway.make_access_keys())
    return partial(gateway.ask, app.handler)
