"""The list of model types in the bucket."""

import boto3
import pytest

from infra.local.model_types import KEY
from mlops.aws import model_types
from mlops.aws.model_types import PublishedModelTypes
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.model_types import DOCUMENT_KEY, ModelTypes
from tests.support.model_types import PUBLISHED


@pytest.fixture
def bucket(aws: None) -> str:
    boto3.client("s3").create_bucket(Bucket="bucket")
    return "bucket"


def put(bucket: str, document: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key=DOCUMENT_KEY, Body=document.encode())


def test_the_local_stack_publishes_where_the_api_reads():
    assert KEY == DOCUMENT_KEY


@pytest.mark.parametrize("document", [None, "", "[]", '{"model_types": [{"name": "x"}]}'])
def test_a_document_that_is_missing_or_something_else_is_said_with_the_remedy(bucket, document):
    if document is not None:
        put(bucket, document)
    with pytest.raises(DependencyUnavailable, match="make deploy"):
        PublishedModelTypes(bucket).read()


def test_a_new_document_is_used_after_a_while_and_s3_is_asked_no_more_often(bucket, monkeypatch):
    put(bucket, PUBLISHED.model_dump_json())
    published = PublishedModelTypes(bucket)
    now = 1000.0
    monkeypatch.setattr(model_types.time, "monotonic", lambda: now)
    assert published.read() == PUBLISHED
    put(bucket, ModelTypes(model_types=[]).model_dump_json())
    assert published.read() == PUBLISHED
    now += model_types.REFRESH_SECONDS + 1
    assert published.read().names() == []


def test_a_type_is_found_by_its_former_name_unless_a_type_has_it():
    assert PUBLISHED.find("logistic_regression").name == "linear"
    theirs = PUBLISHED.find("svm").model_copy(update={"name": "logistic_regression"})
    assert ModelTypes(model_types=[*PUBLISHED.model_types, theirs]).find("logistic_regression") is theirs
    assert PUBLISHED.find("none") is None


def test_whole_numbers_are_known_by_the_schema():
    assert PUBLISHED.find("lightgbm").whole == {"num_leaves", "n_estimators", "max_depth"}
    assert PUBLISHED.find("linear").whole == {"max_iter"}
