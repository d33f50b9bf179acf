"""Where the console links to MLflow."""

import json

import pytest

from portal.app import handler
from tests.support.gateway import CONTEXT, api_event, make_access_keys

SIGNED = "https://abc123.execute-api.eu-central-1.amazonaws.com/mlflow"


@pytest.mark.parametrize(("uri", "told"), [("http://127.0.0.1:5000", "http://127.0.0.1:5000"), (SIGNED, None)])
def test_only_an_address_that_browsers_can_open_is_told(aws, monkeypatch, uri, told):
    monkeypatch.setenv("ACCESS_KEYS_TABLE", make_access_keys())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    answer = handler(api_event("GET", "/me"), CONTEXT)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["mlflow_url"] == told
