"""Each model is looked at by itself: one manifest that cannot be read keeps no other from being repaired."""

import json

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from mlops.aws.serving_bucket import ServedModels
from mlops.domain.examination import GATE_REVISION
from mlops.domain.manifest import manifest_key
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition
from mlops.registry.rest import RegisteredModel
from reconcile.misplaced_aliases import MisplacedAliases
from tests.support.serving import served
from tests.support.steps import as_a_newer_version_writes

BUCKET = "artifacts"


class Tracking:
    """Models whose versions 1 are in Production."""

    def __init__(self, *names):
        self._names = names

    def models(self):
        return [RegisteredModel(name, {"production": 1}) for name in self._names]

    def versions(self):
        return []


class Transitions:
    def still_open(self):
        return []


class Queue:
    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append((message["kind"], message["model_name"]))


@pytest.fixture
def look(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)

    def run(manifests):
        for name, body in manifests.items():
            s3.put_object(Bucket=BUCKET, Key=manifest_key(name, "Production"), Body=body)
        queue = Queue()
        due = MisplacedAliases(Tracking(*manifests), Transitions(), queue, ServedModels(BUCKET)).look()
        assert queue.sent == [("mend", name) for name in due]
        return due

    return run


def manifest(name, version=1, **changes):
    examined = {"gate_revision": GATE_REVISION} | changes
    return served(version, model_name=name).with_manifest(**examined).manifest.to_json()


def test_the_manifest_of_a_newer_version_is_no_difference(look):
    assert look({"a": as_a_newer_version_writes(manifest("a")), "b": manifest("b")}) == []


@pytest.mark.parametrize(
    "body",
    [b"not a manifest", b"[" * 100_000, b"9" * 5000, b'{"schema":1,"min_reader":99}', b'{"schema":1,"input":7}'],
    ids=lambda body: body[:20],
)
def test_one_that_cannot_be_read_is_sent_to_be_mended_and_so_are_others_that_differ(look, body):
    assert look({"a": manifest("a"), "b": body, "c": manifest("c", 2)}) == ["b", "c"]


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"gate_revision": 0}, True),
        ({"gate_revision": GATE_REVISION + 1}, True),
        ({"refusal": "it answers with 1 number per row", "written_at": "2999-01-01T00:00:00.000Z"}, False),
        ({"refusal": "it answers with 1 number per row"}, True),  # for longer than a day
    ],
    ids=str,
)
def test_what_another_gate_has_examined_is_sent_to_be_examined(look, changes, due):
    assert look({"a": manifest("a"), "b": manifest("b", **changes)}) == (["b"] if due else [])


def test_the_manifest_of_the_version_before_is_sent_to_be_examined(look):
    before = json.loads(manifest("b"))
    del before["gate_revision"], before["refusal"]
    assert look({"a": manifest("a"), "b": json.dumps(before).encode()}) == ["b"]


def test_a_model_with_a_transition_under_way_waits_for_the_next_round(look, monkeypatch):
    monkeypatch.setattr(Transitions, "still_open", lambda _: [Transition("tr_1", "b", 2, Stage.PRODUCTION, "tester")])
    assert look({"a": manifest("a", gate_revision=0), "b": manifest("b", gate_revision=0)}) == ["a"]


def test_a_model_for_which_s3_does_not_answer_is_left_out_and_the_others_are_repaired(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for name, version in (("a", 2), ("b", 2), ("c", 2)):
        s3.put_object(Bucket=BUCKET, Key=manifest_key(name, "Production"), Body=manifest(name, version))
    manifests, queue = ServedModels(BUCKET), Queue()
    get_object, down = manifests._s3.get_object, EndpointConnectionError(endpoint_url="https://s3")

    def get(**request):
        if "/b/" in request["Key"]:
            raise down
        return get_object(**request)

    manifests._s3.get_object = get
    with pytest.raises(ExceptionGroup) as group:
        MisplacedAliases(Tracking("a", "b", "c"), Transitions(), queue, manifests).look()
    assert queue.sent == [("mend", "a"), ("mend", "c")]
    assert group.value.exceptions == (down,)
    assert down.__notes__ == ["b"]
