"""Drift on the running stack: clean digits are stable, inverted ones an alert, an event, and one retrain job."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.steps import ENDED, promote, train

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own

MODEL = "drifting"


@pytest.fixture(scope="module")
def version(api):
    job = train(api, epochs=3, learning_rate=0.005, model_name=MODEL, experiment_name="drifting")
    assert job["status"] == "completed", job["error"]
    assert promote(api, job["model_version"], model=MODEL)["status"] == "succeeded"
    return job["model_version"]


@pytest.fixture(scope="module")
def drift_function(aws_client, stack):
    """Name of the drift function, with retraining switched on for the time of these tests."""
    functions = aws_client("lambda")
    names = [each["FunctionName"] for each in functions.list_functions()["Functions"]]
    name = next(each for each in names if "DriftFunction" in each)
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    switched = {**before, "RETRAIN_ON_DRIFT": "true", "RETRAIN_COOLDOWN_HOURS": "24", "RETRAIN_DAILY_BUDGET": "5"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": switched})
    yield name
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


@pytest.fixture(scope="module")
def told(aws_client):
    """What came out of the topic and of the bus about the model: a function that returns the new ones by queue."""
    sqs, sns, events = (aws_client(name) for name in ("sqs", "sns", "events"))
    urls = {name: sqs.create_queue(QueueName=f"test-drift-{name}")["QueueUrl"] for name in ("mail", "bus")}
    arns = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for name, url in urls.items()
    }
    topic = next(each["TopicArn"] for each in sns.list_topics()["Topics"] if "Alerts" in each["TopicArn"])
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["mail"])["SubscriptionArn"]
    pattern = {
        "source": ["mlops"],
        "detail-type": ["Drift Alert", "Retrain Requested"],
        "detail": {"model_name": [MODEL]},
    }
    events.put_rule(Name="test-drift", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="test-drift", Targets=[{"Id": "bus", "Arn": arns["bus"]}])

    def receive(name):
        found = []
        while messages := sqs.receive_message(QueueUrl=urls[name], MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=urls[name], ReceiptHandle=message["ReceiptHandle"])
        return found

    yield receive
    sns.unsubscribe(SubscriptionArn=subscription)
    events.remove_targets(Rule="test-drift", Ids=["bus"])
    events.delete_rule(Name="test-drift")


def predict(api, images):
    for start in range(0, len(images), 100):
        api.post("/predict/batch", {"images": images[start : start + 100], "model_name": MODEL})


def status_of(api, samples):
    """The status once all predictions have arrived in the counts."""
    return api.wait(f"/drift/status?model_name={MODEL}", until=lambda answer: answer["current"]["samples"] >= samples)


def check(aws_client, function):
    answer = aws_client("lambda").invoke(FunctionName=function, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read())[MODEL]


def retrains(api):
    return [sweep for sweep in api.get("/sweeps?limit=100")["sweeps"] if sweep["model_name"] == MODEL]


def test_from_clean_to_drifted_to_one_retrain(api, aws_client, version, drift_function, told, held_out):
    clean = held_out[0][:300]
    nothing = api.get(f"/drift/status?model_name={MODEL}")
    assert (nothing["status"], nothing["psi"]) == ("insufficient_data", None)

    predict(api, clean)
    stable = status_of(api, 300)
    assert (stable["status"], stable["model_version"], stable["current"]["samples"]) == ("stable", version, 300)
    assert stable["reference_samples"] > 0
    assert check(aws_client, drift_function) == "stable"
    assert told("bus") == []

    predict(api, [[round(1 - pixel, 4) for pixel in image] for image in clean])
    alert = status_of(api, 600)
    assert (alert["status"], alert["current"]["samples"]) == ("alert", 600)
    assert alert["psi"] >= alert["thresholds"]["alert"]
    assert set(alert["current_distribution"]) <= {str(label) for label in range(10)}

    history = api.get(f"/drift/history?model_name={MODEL}&hours=2")
    assert (history["model_version"], history["against"], len(history["points"])) == (version, "reference", 2)
    assert sum(point["samples"] for point in history["points"]) == 600
    assert "alert" in {point["status"] for point in history["points"]}

    # Several checks, as at-least-once schedules make them, some at the same time.
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _: check(aws_client, drift_function), range(3))) == {"alert"}
    assert check(aws_client, drift_function) == "alert"
    requests = []
    alerts = []
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (requests and alerts):
        for event in told("bus"):
            (requests if event["detail-type"] == "Retrain Requested" else alerts).append(event)
        time.sleep(0.2)
    assert len(requests) == 1
    assert alerts[0]["detail"]["status"] == "alert"
    assert any(f"{MODEL} version {version}: alert" in each["Message"] for each in told("mail"))

    deadline = time.monotonic() + 120
    while not retrains(api) and time.monotonic() < deadline:
        time.sleep(0.2)
    # The same event once more, as EventBridge may deliver it: nothing new is started.
    entry = {"Source": "mlops", "DetailType": "Retrain Requested", "Detail": json.dumps(requests[0]["detail"])}
    entry["Resources"] = requests[0]["resources"]
    aws_client("events").put_events(Entries=[entry])
    (sweep,) = retrains(api)
    ended = api.wait(f"/sweeps/{sweep['sweep_id']}", until=lambda answer: answer["status"] in ENDED)
    assert ended["status"] == "completed", ended
    assert ended["num_runs"] == 1
    api.wait(f"/models/transitions/{ended['transition_id']}", until=lambda answer: answer["status"] == "succeeded")
    model = api.get(f"/models/{MODEL}")
    assert (model["production_version"], model["staging_version"]) == (version, ended["model_version"])
    assert check(aws_client, drift_function) == "alert"
    assert len(retrains(api)) == 1
    assert [event["detail-type"] for event in told("bus")].count("Retrain Requested") <= 1  # ours, sent again


def test_every_prediction_is_counted_once(api, version, held_out):
    before = api.get(f"/drift/stats?model_name={MODEL}")
    images = held_out[0]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda image: api.post("/predict", {"image": image, "model_name": MODEL}), images[:100]))
    wanted = before["total_predictions"] + 100
    after = api.wait(f"/drift/stats?model_name={MODEL}", until=lambda answer: answer["total_predictions"] >= wanted)
    assert after["total_predictions"] == wanted
    assert after["total_requests"] == before["total_requests"] + 100
    assert sum(after["latency"]["histogram"]["counts"]) == after["total_requests"]
    assert 0 < after["confidence"]["mean"] <= 1
    distribution = api.get(f"/drift/distribution?model_name={MODEL}")
    assert distribution["samples"] == sum(each["count"] for each in distribution["distribution"]) == wanted


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/drift/status?model_name=nobody", 409, "no_model_in_stage"),
        ("/drift/stats?model_name=nobody", 404, "not_found"),
        ("/drift/distribution?model_name=nobody", 404, "not_found"),
        ("/drift/status?current_hours=0", 422, "validation_failed"),
        ("/drift/status?baseline_hours=abc", 422, "validation_failed"),
        ("/drift/history?model_name=nobody", 409, "no_model_in_stage"),
        ("/drift/history?hours=169", 422, "validation_failed"),
        ("/drift/history?step_hours=0", 422, "validation_failed"),
        ("/drift/stats?model_name=..%2F", 422, "validation_failed"),
    ],
)
def test_wrong_questions_are_answered_with_the_reason(api, path, status, code):
    answer = api.send("GET", path)
    assert (answer.status, answer.json["code"]) == (status, code)


def test_metrics_are_prometheus_text(api, version):
    answer = api.send("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.data.decode()
    assert f'mlops_production_model{{model="{MODEL}"}} 1.0' in text
    for name in ("mlops_drift_psi", "mlops_prediction_confidence_bucket", "mlops_predictions_total"):
        assert name in text
    assert api.send("GET", "/metrics", headers={"x-api-key": "wrong"}).status == 403


def test_one_search_shows_a_whole_story(api, aws_client):
    """The id of POST /sweeps stands in the lines of the API, of the job, of Batch's events and of the promotion."""
    asked = {"num_runs": 1, "epochs": 1, "model_name": "story", "stage": "Staging", "experiment_name": "drifting"}
    answer = api.send("POST", "/sweeps", asked)
    request_id, sweep_id = answer.headers["x-request-id"], answer.json["sweep_id"]
    ended = api.wait(f"/sweeps/{sweep_id}", until=lambda state: state["status"] in ENDED)
    api.wait(f"/models/transitions/{ended['transition_id']}", until=lambda state: state["status"] != "queued")
    logs = aws_client("logs")

    def told_by():
        groups = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
        return {group for group in groups if mentions(logs, group, request_id)}

    wanted = ("TrainingLogs", "batch/job", "JobEventsLogs", "PromotionLogs")
    deadline = time.monotonic() + 120
    while not all(any(name in group for group in told_by()) for name in wanted):
        assert time.monotonic() < deadline, told_by()
        time.sleep(0.5)


def mentions(logs, group, text):
    events = logs.filter_log_events(logGroupName=group, filterPattern=f'"{text}"')["events"]
    return any(text in event["message"] for event in events)
