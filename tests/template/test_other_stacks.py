"""A stack beside others, and a stack's first hours: what is decided there once for all resources of a kind."""

import ipaddress
import json
import re
import shlex
from pathlib import Path

import pytest

from tests.template.reading import Document, of_type
from tests.template.test_resources import functions, target


def test_every_function_with_a_rule_keeps_the_events_that_it_could_not_handle(aws: Document) -> None:
    """A rule's dead letters are only those that were not delivered. What a schedule starts comes again by itself."""
    rules = of_type(aws, "AWS::Events::Rule").values()
    called = {
        target(each["Arn"])
        for rule in rules
        if "EventPattern" in rule["Properties"]
        for each in rule["Properties"]["Targets"]
    }
    configured = of_type(aws, "AWS::Lambda::EventInvokeConfig").values()
    kept = {
        target(each["Properties"]["FunctionName"])
        for each in configured
        if "OnFailure" in each["Properties"].get("DestinationConfig", {})
    }
    assert len(called) >= 4
    assert called <= kept


def test_a_rule_hears_the_events_of_its_own_stack_only(aws: Document) -> None:
    """dev, staging and prod may share an account, and so the default bus."""
    for name, rule in of_type(aws, "AWS::Events::Rule").items():
        pattern = rule["Properties"].get("EventPattern")
        if pattern is not None and "jobQueue" not in pattern.get("detail", {}):
            assert pattern["resources"] == [{"Ref": "AWS::StackId"}], name
    for name, each in functions(aws).items():
        assert each["Environment"]["Variables"]["STACK_ID"] == {"Ref": "AWS::StackId"}, name


def test_the_events_that_the_page_sends_are_heard(aws: Document) -> None:
    """By hand and from a schedule of one's own: an event without the stack would be lost in silence."""
    page = (Path(__file__).parents[2] / "docs/monitoring.md").read_text()
    by_hand = re.search(r"aws events put-events (--entries .*)", page)
    scheduled = re.search(r"aws scheduler create-schedule (.*?)\n\n", page, re.DOTALL)
    assert by_hand
    assert scheduled
    words = shlex.split(scheduled[1].replace("\\\n", " "))
    target_of_schedule = json.loads(words[words.index("--target") + 1])
    assert target_of_schedule["Arn"] == "arn:aws:scheduler:::aws-sdk:eventbridge:putEvents"
    entries = json.loads(shlex.split(by_hand[1])[1]) + json.loads(target_of_schedule["Input"])["Entries"]
    patterns = [rule["Properties"].get("EventPattern") or {} for rule in of_type(aws, "AWS::Events::Rule").values()]
    (heard,) = (each for each in patterns if each.get("detail-type") == ["Retrain Requested"])
    assert len(entries) == 2
    for entry in entries:
        assert [entry["Source"]] == heard["source"]
        assert [entry["DetailType"]] == heard["detail-type"]
        assert entry["Resources"] == ["<stack>"]
        assert json.loads(entry["Detail"]) == {"model_name": "digit-classifier"}


def test_jobs_have_as_many_rules_of_retry_as_batch_takes(aws: Document) -> None:
    for name, each in of_type(aws, "AWS::Batch::JobDefinition").items():
        assert len(each["Properties"]["RetryStrategy"]["EvaluateOnExit"]) <= 5, name


def test_the_migration_waits_until_its_role_is_known_everywhere(aws: Document) -> None:
    retried = aws["Resources"]["MigrationJobDefinition"]["Properties"]["RetryStrategy"]["EvaluateOnExit"]
    for reason in ("OnReason", "OnStatusReason"):
        assert {reason: "ResourceInitializationError*", "Action": "RETRY"} in retried


@pytest.mark.parametrize(("network", "fits"), [("10.0.0.0/16", True), ("10.0.0.0/18", True), ("10.0.0.0/19", False)])
def test_a_network_is_taken_if_its_four_subnets_fit(
    aws: Document, nested: dict[str, Document], network: str, fits: bool
) -> None:
    subnets = of_type(nested["Network"], "AWS::EC2::Subnet")
    asked = {json.dumps(each["Properties"]["CidrBlock"]["Fn::Select"][1]) for each in subnets.values()}
    assert asked == {json.dumps({"Fn::Cidr": [{"Ref": "Cidr"}, 4, 12]})}, "four of /20"
    assert (ipaddress.ip_network(network).num_addresses >= 4 * 2**12) == fits
    for template, name in ((aws, "NetworkCidr"), (nested["Network"], "Cidr")):
        assert bool(re.fullmatch(template["Parameters"][name]["AllowedPattern"], network)) == fits


def test_what_expires_is_not_kept_as_an_old_version_for_months(aws: Document) -> None:
    """Each epoch replaces its checkpoint, and the bucket keeps versions: they would cost as much as the run."""
    rules = aws["Resources"]["ArtifactBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = [each for each in rules if "ExpirationInDays" in each]
    assert len(expiring) >= 3
    for each in expiring:
        assert each.get("NoncurrentVersionExpiration") == {"NoncurrentDays": 1}, each["Id"]
