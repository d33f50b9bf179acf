"""What promotion tags is what the bucket's lifecycle rule moves."""

from infra.local.packaging import read_template
from infra.local.settings import ROOT
from promotion import archive_tags


def test_the_lifecycle_rule_names_the_tag_that_promotion_sets_and_storage_that_answers_at_once():
    bucket = read_template(ROOT / "template.yaml")["Resources"]["ArtifactBucket"]["Properties"]
    rule = next(rule for rule in bucket["LifecycleConfiguration"]["Rules"] if rule["Id"] == "archived")
    assert rule["TagFilters"] == [{"Key": archive_tags.TAG, "Value": archive_tags.ARCHIVED}]
    assert {transition["StorageClass"] for transition in rule["Transitions"]} <= {"GLACIER_IR", "STANDARD_IA"}
