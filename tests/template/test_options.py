"""What parameters turn on and off: each choice is the one that the docs promise, and the others stay as they were."""

import json
import re
from typing import Any

import pytest

from mlops.domain.drift.retrain import RetrainSchedule
from tests.template import reading
from tests.template.reading import Document, of_type
from tests.template.test_resources import functions, target

KEY = {"Ref": "KmsKeyArn"}


@pytest.fixture(scope="module")
def keyed(generated: dict[str, Document]) -> Document:
    key = "arn:aws:kms:us-east-1:123456789012:key/a"
    return reading.carried_out(generated["dev"], "dev", KmsKeyArn=key)


def test_a_key_of_ones_own_is_used_for_all_that_is_stored(keyed: Document) -> None:
    for name, each in of_type(keyed, "AWS::DynamoDB::Table").items():
        wanted = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
        assert each["Properties"]["SSESpecification"] == wanted, name
    for name, each in of_type(keyed, "AWS::SQS::Queue").items():
        assert each["Properties"]["KmsMasterKeyId"] == KEY, name
        assert each["Properties"]["SqsManagedSseEnabled"] is False, f"{name}: SQS takes one of the two"
    for name, each in of_type(keyed, "AWS::Logs::LogGroup").items():
        assert each["Properties"]["KmsKeyId"] == KEY, name
    for name, each in of_type(keyed, "AWS::S3::Bucket").items():
        (rule,) = each["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}, name
        assert rule["BucketKeyEnabled"] is True, name
    assert keyed["Resources"]["Database"]["Properties"]["Parameters"]["KmsKeyArn"] == KEY


def test_without_a_key_awss_own_are_used(aws: Document) -> None:
    assert all("KmsKeyId" not in each["Properties"] for each in of_type(aws, "AWS::Logs::LogGroup").values())
    (bucket,) = of_type(aws, "AWS::S3::Bucket").values()
    (rule,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


def test_tracking_has_no_reservation_unless_asked(aws: Document, generated: dict[str, Document]) -> None:
    assert "ReservedConcurrentExecutions" not in functions(aws)["TrackingFunction"]
    asked = reading.carried_out(generated["dev"], "dev", TrackingConcurrency="20")
    assert functions(asked)["TrackingFunction"]["ReservedConcurrentExecutions"] == {"Ref": "TrackingConcurrency"}


@pytest.mark.parametrize(
    ("values", "made"),
    [
        ({}, {"ApiGatewayRole", "ApiGatewayAccountRole", "AccessLogsGroup"}),
        ({"ApiGatewayAccount": "false"}, {"AccessLogsGroup"}),
        ({"AccessLogs": "false"}, set()),
    ],
)
def test_access_logs(generated: dict[str, Document], values: dict[str, str], made: set[str]) -> None:
    template = reading.carried_out(generated["dev"], "dev", **values)
    names = {"ApiGatewayRole", "ApiGatewayAccountRole", "AccessLogsGroup"}
    assert template["Resources"].keys() & names == made
    stages = [each["Properties"] for each in of_type(template, "AWS::ApiGateway::Stage").values()]
    assert any("AccessLogSetting" in each for each in stages) == bool(made)
    if "ApiGatewayRole" in made:
        assert "ApiGatewayAccountRole" in reading.all_needs(template, "AccessLogsGroup")


def test_predict_serves_by_an_alias_that_follows_every_change(aws: Document) -> None:
    alias = aws["Resources"]["PredictFunctionAliaslive"]
    assert target(alias["Properties"]["FunctionName"]) == "PredictFunction"
    assert alias["Properties"]["Name"] == "live"
    assert not of_type(aws, "AWS::CodeDeploy::Application")


def test_tracking_has_no_environments_that_always_run_unless_asked(
    aws: Document, generated: dict[str, Document]
) -> None:
    alias = aws["Resources"]["TrackingFunctionAliaslive"]["Properties"]
    assert "ProvisionedConcurrencyConfig" not in alias
    asked = reading.carried_out(generated["dev"], "dev", TrackingProvisioned="2")
    alias = asked["Resources"]["TrackingFunctionAliaslive"]["Properties"]
    wanted = {"ProvisionedConcurrentExecutions": {"Ref": "TrackingProvisioned"}}
    assert alias["ProvisionedConcurrencyConfig"] == wanted


@pytest.mark.parametrize("function", ["PredictFunction", "TrackingFunction"])
def test_another_value_of_a_parameter_is_another_version(source: Document, aws: Document, function: str) -> None:
    """Callers reach the function by an alias of a version, and a version keeps the variables that it was made with.

    CloudFormation makes a version if its logical id changes, or its description: it cannot change that. SAM makes the
    id of what the template says, not of the values of its parameters.
    """
    everywhere = source["Globals"]["Function"]["Environment"]
    own = source["Resources"][function]["Properties"]
    named = reading.references([own["Environment"], own.get("SnapStart"), own.get("ImageUri"), everywhere])
    # Those of one stack never change, and AwsEndpointUrl is for `sam local invoke`.
    parameters = named & source["Parameters"].keys() - {"Environment", "AwsEndpointUrl"}
    conditions = {text for text in ("OwnCode",) if f"Has{text}" in str(own["Environment"])}
    (version,) = [
        each["Properties"]
        for name, each in of_type(aws, "AWS::Lambda::Version").items()
        if name.startswith(f"{function}Version")
    ]
    told = reading.references(version["Description"]) | {"TrackingImage"}
    assert parameters | conditions <= told
    assert len(parameters) >= 2


def test_another_image_is_another_version_of_tracking(source: Document) -> None:
    def versions(image: str) -> set[str]:
        template = reading.transformed(source, "dev", TrackingImage=image)
        return {name for name in of_type(template, "AWS::Lambda::Version") if name.startswith("Tracking")}

    assert versions("tracking@sha256:1") != versions("tracking@sha256:2")


def test_a_version_fits_its_description(source: Document) -> None:
    """Lambda takes 256 characters. The address of a database has its identifier, and at most 47 characters more."""
    longest = 63 + 47 + len(" false ") + source["Parameters"]["NotebookRoles"]["MaxLength"]
    assert longest <= 256


def test_a_gradual_deployment_is_rolled_back_by_its_alarm(source: Document) -> None:
    template = reading.transformed(source, "prod", GradualDeployment="true")
    (group,) = of_type(template, "AWS::CodeDeploy::DeploymentGroup").values()
    alarms = group["Properties"]["AlarmConfiguration"]
    assert alarms["Enabled"] is True
    assert [each["Name"] for each in alarms["Alarms"]] == [
        {"Ref": "PredictErrorsAlarm"},
        {"Ref": "PredictFailuresAlarm"},
    ]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["Properties"]["AutoRollbackConfiguration"]["Events"]
    alias = template["Resources"]["PredictFunctionAliaslive"]
    assert "CodeDeployLambdaAliasUpdate" in alias["UpdatePolicy"]


def test_answers_of_500_end_a_gradual_deployment(aws: Document, nested: dict[str, Document]) -> None:
    """predict answers its errors itself, so Lambda's Errors stay 0: a filter of its log counts them."""
    alarm = aws["Resources"]["PredictFailuresAlarm"]["Properties"]
    assert (alarm["Period"], alarm["Threshold"]) == (60, 0)
    (counted,) = nested["Observability"]["Resources"]["FailuresFilter"]["Properties"]["MetricTransformations"]
    assert counted["MetricName"] == alarm["MetricName"]
    assert "Dimensions" not in counted
    assert "Dimensions" not in alarm
    assert counted["MetricNamespace"] == {"Ref": "Namespace"}
    given = aws["Resources"]["Observability"]["Properties"]["Parameters"]
    assert given["Namespace"] == alarm["Namespace"] == {"Ref": "AWS::StackName"}


def test_snapstart_is_off_unless_asked(aws: Document) -> None:
    assert functions(aws)["PredictFunction"]["SnapStart"] == {"ApplyOn": {"Ref": "PredictSnapStart"}}
    assert aws["Parameters"]["PredictSnapStart"]["Default"] == "None"
    assert [name for name, each in functions(aws).items() if "SnapStart" in each] == ["PredictFunction"]


def test_routes_are_throttled(aws: Document) -> None:
    for name, stage in of_type(aws, "AWS::ApiGateway::Stage").items():
        setting, *others = stage["Properties"]["MethodSettings"]
        assert (setting["ResourcePath"], setting["HttpMethod"]) == ("/*", "*"), name
        assert setting["ThrottlingRateLimit"] == {"Ref": "MethodRate"}, name
        assert not any("MetricsEnabled" in each for each in (setting, *others)), "CloudWatch would bill each route's"


def test_whoever_has_no_key_yet_is_throttled_by_the_route(aws: Document) -> None:
    """No key's own limit holds them."""
    api = aws["Resources"]["Api"]["Properties"]["Body"]["paths"]
    paths = ("/session", "/session/iam", "/session/token")
    wanted = {f"/{path.replace('/', '~1')}" for path in paths if "post" in api[path]}
    (stage,) = [each for name, each in of_type(aws, "AWS::ApiGateway::Stage").items() if name.startswith("Apiv1")]
    limits = {each["ResourcePath"].lstrip("/"): each for each in stage["Properties"]["MethodSettings"][1:]}
    assert {f"/{path}" for path in limits} == wanted
    assert all(each["HttpMethod"] == "POST" and each["ThrottlingRateLimit"] <= 5 for each in limits.values())


def test_every_log_of_a_job_is_forgotten_in_time(aws: Document) -> None:
    for name, each in of_type(aws, "AWS::Batch::JobDefinition").items():
        options = each["Properties"]["ContainerProperties"]["LogConfiguration"]["Options"]
        assert "RetentionInDays" in aws["Resources"][target(options["awslogs-group"])]["Properties"], name


def test_the_trainer_may_read_the_buckets_that_the_api_lets_in(generated: dict[str, Document], aws: Document) -> None:
    def resources(template: Document) -> list[Any]:
        policies = template["Resources"]["TrainerRole"]["Properties"]["Policies"]
        statements = [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]
        return [each["Resource"] for each in statements if each["Action"] == "s3:GetObject"]

    def evaluated(value: Any) -> Any:
        """As CloudFormation does, of the functions that are used there."""
        match value:
            case {"Ref": name}:
                return {"DatasetBuckets": "one,two"}[name]
            case {"Fn::Split": [separator, text]}:
                return evaluated(text).split(separator)
            case {"Fn::Join": [separator, parts]}:
                return separator.join(evaluated(parts))
            case {"Fn::Sub": [text, names]}:
                return text.replace("${Buckets}", evaluated(names["Buckets"]))
        return value

    (own,) = resources(aws)
    assert own == {"Fn::Sub": "${ArtifactBucket.Arn}/datasets/*"}
    given = reading.carried_out(generated["dev"], "dev", DatasetBuckets="one,two")
    assert evaluated(resources(given)[1]) == ["arn:aws:s3:::one/*", "arn:aws:s3:::two/*"]


@pytest.mark.parametrize(
    ("models", "named"), [("", "DefaultModelName"), ("*", "NightlyRetrainModels"), ("a,b", "NightlyRetrainModels")]
)
def test_the_schedule_retrains_the_named_models_or_the_default_one(
    generated: dict[str, Document], models: str, named: str
) -> None:
    made = reading.carried_out(generated["dev"], "dev", NightlyRetrainModels=models)
    (rule,) = [each for name, each in of_type(made, "AWS::Events::Rule").items() if "NightlyRetrain" in name]
    text, variables = rule["Properties"]["Targets"][0]["Input"]["Fn::Sub"]
    assert variables == {"Models": {"Ref": named}}
    event = json.loads(text.replace("${Models}", "a,b").replace("${NightlyRetrainRuns}", "3"))
    schedule = RetrainSchedule.model_validate(event["detail"])
    assert (schedule.names(), schedule.num_runs, schedule.stage) == (["a", "b"], 3, "Staging")


@pytest.mark.parametrize(
    ("models", "allowed"),
    [
        *[(names, True) for names in ("", "*", "a", "a.b,C_1,x-2")],
        *[(names, False) for names in ("a,", "a, b", "*,a", "-a", "${AWS::Region}", 'a"},"x":{"')],
    ],
)
def test_the_names_of_the_schedules_models_cannot_break_its_event(source: Document, models: str, allowed: bool) -> None:
    pattern = source["Parameters"]["NightlyRetrainModels"]["AllowedPattern"]
    assert (re.fullmatch(pattern, models) is not None) is allowed


def test_no_function_has_another_endpoint_than_aws_unless_asked(generated: dict[str, Document], aws: Document) -> None:
    """`sam local invoke` passes only variables that the template declares; without this one it would call AWS."""

    def endpoints(template: Document) -> dict[str, Any]:
        variables = {name: each["Environment"]["Variables"] for name, each in functions(template).items()}
        return {name: each["AWS_ENDPOINT_URL"] for name, each in variables.items() if "AWS_ENDPOINT_URL" in each}

    assert endpoints(aws) == {}
    asked = reading.carried_out(generated["dev"], "dev", AwsEndpointUrl="http://127.0.0.1:4566")
    assert endpoints(asked) == {name: {"Ref": "AwsEndpointUrl"} for name in functions(asked)}
