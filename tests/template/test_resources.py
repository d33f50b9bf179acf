"""What holds for every resource of a kind, so that the next one is held to it as well."""

import re
from typing import Any

import pytest

from mlops.aws.eventbridge import SOURCE
from tests.template import reading
from tests.template.reading import Document, of_type

# Routes that answer without an API key: liveness, readiness, and the contract itself.
READABLE = ("/health", "/ready", "/openapi.json", "/docs", "/docs/{name}", "/console", "/console/{name}")
# And where those who have no key yet get one.
OPEN_ROUTES = {(path, "get") for path in READABLE} | {("/session", "post"), ("/session/token", "post")}
SIGNED_ROUTES = {("/session/iam", "post")}

# Where a policy says "*" because there is nothing to name: (role, action) to the reason.
STARS = {
    ("TrainingFunctionRole", "batch:DescribeJobs"): "Batch's describe and list calls know no resources",
    ("FeedbackFunctionRole", "batch:DescribeJobs"): "Batch's describe and list calls know no resources",
    ("FeedbackFunctionRole", "batch:ListJobs"): "Batch's describe and list calls know no resources",
    ("MigrationFunctionRole", "batch:DescribeJobs"): "Batch's describe and list calls know no resources",
    ("ReconcileFunctionRole", "batch:DescribeJobs"): "Batch's describe and list calls know no resources",
    ("ReconcileFunctionRole", "batch:ListJobs"): "Batch's describe and list calls know no resources",
}

# Properties that name a resource. With such a name, what was retained stands in the way of the next deployment.
NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::KMS::Key": "KeyId",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::IAM::Role": "RoleName",
    "AWS::ApiGateway::Account": "Id",
    "AWS::Lambda::Version": "Version",
}
# What people's work lies in.
STATEFUL = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::RDS::DBInstance"}
# What may go with the stack: it forgets by itself within days.
FORGETFUL = {"IdempotencyTable", "OneTimeTokensTable"}


def target(value: Any) -> str:
    """The logical id that a Ref or GetAtt leads to."""
    (name,) = reading.references(value)
    return name


def dead_letter_queues(template: Document) -> set[str]:
    redrives = [each["Properties"].get("RedrivePolicy") for each in of_type(template, "AWS::SQS::Queue").values()]
    queues = {target(redrive["deadLetterTargetArn"]) for redrive in redrives if redrive}
    for rule in of_type(template, "AWS::Events::Rule").values():
        configs = [each.get("DeadLetterConfig") for each in rule["Properties"]["Targets"]]
        queues |= {target(config["Arn"]) for config in configs if config}
    return queues


def functions(template: Document) -> dict[str, Document]:
    return {name: each["Properties"] for name, each in of_type(template, "AWS::Lambda::Function").items()}


def statements(template: Document) -> list[tuple[str, Document]]:
    """Each statement of each role's own policies, with the role."""
    return [
        (name, statement)
        for name, policy in reading.policies(template)
        for statement in listed(policy["PolicyDocument"]["Statement"])
    ]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def routes(api: Document) -> dict[tuple[str, str], Document]:
    paths = api["Properties"]["Body"]["paths"]
    return {(path, verb): operation for path, verbs in paths.items() for verb, operation in verbs.items()}


def test_every_queue_has_a_dead_letter_queue(aws: Document) -> None:
    last = dead_letter_queues(aws)
    queues = of_type(aws, "AWS::SQS::Queue")
    assert [
        name for name, each in queues.items() if name not in last and "RedrivePolicy" not in each["Properties"]
    ] == []


def test_every_rule_keeps_what_it_could_not_deliver(aws: Document) -> None:
    for name, rule in of_type(aws, "AWS::Events::Rule").items():
        assert all("DeadLetterConfig" in each for each in rule["Properties"]["Targets"]), name


def test_nobody_consumes_dead_letters(aws: Document) -> None:
    mappings = of_type(aws, "AWS::Lambda::EventSourceMapping").values()
    consumed = {target(each["Properties"]["EventSourceArn"]) for each in mappings}
    assert consumed & dead_letter_queues(aws) == set(), "its depth alarm would be silent"


def test_a_fifo_queue_has_fifo_dead_letters(aws: Document) -> None:
    queues = of_type(aws, "AWS::SQS::Queue")
    for name, each in queues.items():
        if redrive := each["Properties"].get("RedrivePolicy"):
            other = queues[target(redrive["deadLetterTargetArn"])]["Properties"]
            assert each["Properties"].get("FifoQueue") == other.get("FifoQueue"), name


def test_dead_letters_live_longer_than_letters(aws: Document) -> None:
    queues = of_type(aws, "AWS::SQS::Queue")
    for name, each in queues.items():
        if redrive := each["Properties"].get("RedrivePolicy"):
            other = queues[target(redrive["deadLetterTargetArn"])]["Properties"]
            # A message keeps the time it was first sent at.
            assert other["MessageRetentionPeriod"] > each["Properties"]["MessageRetentionPeriod"], name


def test_a_message_stays_hidden_while_it_is_worked_on_and_not_much_longer(aws: Document) -> None:
    queues, consumers = of_type(aws, "AWS::SQS::Queue"), functions(aws)
    mappings = of_type(aws, "AWS::Lambda::EventSourceMapping")
    assert mappings
    for mapping in mappings.values():
        queue = target(mapping["Properties"]["EventSourceArn"])
        consumer = consumers[target(mapping["Properties"]["FunctionName"])]
        hidden = queues[queue]["Properties"]["VisibilityTimeout"]
        # A batch of several would need the time for all of them; a window would take some of it.
        assert mapping["Properties"]["BatchSize"] == 1, queue
        assert "MaximumBatchingWindowInSeconds" not in mapping["Properties"], queue
        assert consumer["Timeout"] + 10 <= hidden <= consumer["Timeout"] + 30, queue
        # Throttling and cold starts pass before the work begins, which starts the time anew.
        assert consumer["Environment"]["Variables"]["VISIBILITY_SECONDS"] == hidden, queue


def test_every_function_has_a_role_of_its_own(aws: Document) -> None:
    roles = [target(each["Role"]) for each in functions(aws).values()]
    assert len(roles) == len(set(roles))


def test_every_function_says_its_memory_and_timeout(aws: Document) -> None:
    for name, each in functions(aws).items():
        assert 128 <= each["MemorySize"] <= 3008, f"{name}: a new account allows no more than 3008 MB"
        assert 1 <= each["Timeout"] <= 900, name


def test_every_function_has_a_log_group_that_forgets(aws: Document) -> None:
    groups = of_type(aws, "AWS::Logs::LogGroup")
    used = [target(each["LoggingConfig"]["LogGroup"]) for each in functions(aws).values()]
    assert len(used) == len(set(used))
    assert all("RetentionInDays" in groups[name]["Properties"] for name in used)
    assert all("RetentionInDays" in each["Properties"] for each in groups.values())


def test_every_function_is_traced_and_of_one_platform(aws: Document) -> None:
    for name, each in functions(aws).items():
        assert each["TracingConfig"] == {"Mode": "Active"}, name
        assert each["Architectures"] == ["x86_64"], name
        assert each.get("PackageType") == "Image" or each["Runtime"] == "python3.13", name


def test_an_answer_comes_before_the_gateway_gives_up(aws: Document) -> None:
    for api in of_type(aws, "AWS::ApiGateway::RestApi").values():
        for (path, verb), operation in routes(api).items():
            name = target(operation["x-amazon-apigateway-integration"]["uri"])
            if name not in functions(aws):  # an alias
                name = target(aws["Resources"][name]["Properties"]["FunctionName"])
            assert functions(aws)[name]["Timeout"] <= 29, f"{verb} {path}"


def test_policies_name_resources(aws: Document) -> None:
    stars = {
        (role, action)
        for role, statement in statements(aws)
        if statement["Effect"] == "Allow" and "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert stars - STARS.keys() == set(), "name the resource, or say here why it cannot be named"
    assert STARS.keys() - stars == set(), "no such permission any more"


def test_policies_are_of_iams_present_version(aws: Document) -> None:
    """Without it IAM reads a policy as of 2008, which has no variables. SAM's own of destinations have none."""
    old = [
        name
        for name, policy in reading.policies(aws)
        if policy["PolicyDocument"].get("Version") != "2012-10-17"
        and "EventInvokeConfig" not in str(policy["PolicyName"])
    ]
    assert old == []


def test_policies_name_actions(aws: Document) -> None:
    vague = [
        (role, action)
        for role, statement in statements(aws)
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        if "*" in action
    ]
    assert vague == []


def test_whoever_submits_jobs_may_submit_each_revision_of_their_definition(aws: Document) -> None:
    """A deployment changes the role and the function that submits one after the other. In between the one knows another
    revision than the other."""
    definitions = of_type(aws, "AWS::Batch::JobDefinition")
    allowed = [
        resource
        for _, statement in statements(aws)
        if "batch:SubmitJob" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if reading.references(resource) & definitions.keys()
    ]
    by_people = {"BackupJobDefinition"}
    assert {target(each) for each in allowed} == definitions.keys() - by_people
    for each in allowed:
        assert "Ref" not in each, "the ARN has the revision"
        text, variables = each["Fn::Sub"]
        assert text.endswith(":${Name}:*")
        assert variables["Name"]["Fn::Select"][0] == 5
        assert variables["Name"]["Fn::Select"][1]["Fn::Split"][0] == ":"


def test_events_are_put_in_the_platforms_name_alone(aws: Document) -> None:
    """The bus is the account's, and others trust who speaks on it."""
    putting = [each for _, each in statements(aws) if "events:PutEvents" in listed(each["Action"])]
    assert putting
    assert [each.get("Condition") for each in putting] == [{"StringEquals": {"events:source": SOURCE}}] * len(putting)


def test_nobody_lists_the_whole_bucket(aws: Document) -> None:
    listing = [
        (role, each)
        for role, each in statements(aws)
        if "s3:ListBucket" in listed(each["Action"]) and reading.references(each["Resource"]) == {"ArtifactBucket"}
    ]
    assert len(listing) > 8
    for role, each in listing:
        prefixes = listed(each["Condition"]["StringLike"]["s3:prefix"])
        assert prefixes, role
        assert all(re.fullmatch(r"[a-z-]+/\*", prefix) for prefix in prefixes), role


def test_jobs_of_the_version_before_can_still_be_submitted(aws: Document) -> None:
    """During a deployment functions of the old version submit the old revision."""
    for name, each in of_type(aws, "AWS::Batch::JobDefinition").items():
        kept = each["Properties"].get("ResourceRetentionPolicy", {}).get("SkipDeregisterOnUpdate", False)
        assert kept is (name not in ("MigrationJobDefinition", "BackupJobDefinition")), name


def test_a_job_knows_its_region_on_any_machine(aws: Document) -> None:
    for name, each in of_type(aws, "AWS::Batch::JobDefinition").items():
        variables = each["Properties"]["ContainerProperties"]["Environment"]
        assert {"Name": "AWS_DEFAULT_REGION", "Value": {"Ref": "AWS::Region"}} in variables, name


def test_no_statement_allows_by_exception(aws: Document) -> None:
    for role, statement in statements(aws):
        assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys(), role


def test_managed_policies_are_those_a_service_asks_for(aws: Document) -> None:
    allowed = {
        "AWSLambdaBasicExecutionRole": "logs of a function",
        "AWSXrayWriteOnlyAccess": "traces of a function",
        "AWSLambdaSQSQueueExecutionRole": "receiving from a queue",
        "AWSLambdaVPCAccessExecutionRole": "the network interface of a function in the VPC",
        "AmazonECSTaskExecutionRolePolicy": "image and log of a Batch job",
        "AmazonAPIGatewayPushToCloudWatchLogs": "API Gateway's own access logs",
        "AWSCodeDeployRoleForLambdaLimited": "moving predict's alias, step by step",
    }
    for name, role in of_type(aws, "AWS::IAM::Role").items():
        arns = [
            each["Fn::Sub"] if isinstance(each, dict) else each
            for each in role["Properties"].get("ManagedPolicyArns", [])
        ]
        assert {arn.rpartition("/")[2] for arn in arns} <= allowed.keys(), name


def test_buckets_ask_for_tls(aws: Document) -> None:
    policies = of_type(aws, "AWS::S3::BucketPolicy").values()
    refused = {
        target(policy["Properties"]["Bucket"])
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert refused == of_type(aws, "AWS::S3::Bucket").keys()


def test_only_the_listed_routes_need_no_key(aws: Document) -> None:
    operations = routes(aws["Resources"]["Api"])
    keyed = {route for route, each in operations.items() if each.get("security") == [{"api_key": []}]}
    signed = {route for route, each in operations.items() if each.get("security") == [{"AWS_IAM": []}]}
    assert operations.keys() - keyed - signed == OPEN_ROUTES
    assert signed == SIGNED_ROUTES


def test_verbs_are_named(aws: Document) -> None:
    """The local gateway does not route SAM's ANY, and an unlisted verb is API Gateway's to refuse."""
    assert {verb for _, verb in routes(aws["Resources"]["Api"])} <= {"get", "post", "put", "patch", "delete"}


def test_every_stage_is_the_declared_one(aws: Document) -> None:
    stages = {name: each["Properties"]["StageName"] for name, each in of_type(aws, "AWS::ApiGateway::Stage").items()}
    assert sorted(stages.values()) == ["mlflow", "v1"], "without OpenApiVersion SAM makes one called Stage"


@pytest.mark.parametrize("where", ["template", "Network", "Database"])
def test_what_is_kept_bears_no_name_of_ours(aws: Document, nested: dict[str, Document], where: str) -> None:
    template = aws if where == "template" else nested[where]
    for name, each in template["Resources"].items():
        if each.get("DeletionPolicy", "Delete") != "Delete":
            assert NAMES[each["Type"]] not in each["Properties"], f"{name}: the next deployment would collide with it"


def test_what_people_made_survives_the_stack(aws: Document, nested: dict[str, Document]) -> None:
    resources = [*aws["Resources"].items(), *nested["Database"]["Resources"].items()]
    stateful = {name: each for name, each in resources if each["Type"] in STATEFUL and name not in FORGETFUL}
    assert len(stateful) >= 5
    for name, each in stateful.items():
        is_database = each["Type"] == "AWS::RDS::DBInstance"
        # A first deployment that fails leaves nothing: it holds no data yet, and the next would make others beside it.
        assert each.get("DeletionPolicy") == ("Snapshot" if is_database else "RetainExceptOnCreate"), name
        assert each.get("UpdateReplacePolicy") == ("Snapshot" if is_database else "Retain"), name


def test_everything_stored_is_encrypted_and_restorable(aws: Document) -> None:
    for name, each in of_type(aws, "AWS::DynamoDB::Table").items():
        assert each["Properties"]["SSESpecification"] == {"SSEEnabled": True}, name
        if name not in FORGETFUL:
            assert each["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
    for name, each in of_type(aws, "AWS::S3::Bucket").items():
        assert each["Properties"]["BucketEncryption"], name
        assert each["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}, name
        assert set(each["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}, name
    for name, each in of_type(aws, "AWS::SQS::Queue").items():
        assert each["Properties"]["SqsManagedSseEnabled"] is True, name


@pytest.mark.parametrize("section", ["Parameters", "Outputs"])
def test_parameters_and_outputs_are_described(source: Document, nested: dict[str, Document], section: str) -> None:
    for where, template in {"template": source, **nested}.items():
        bare = [name for name, each in template.get(section, {}).items() if len(each.get("Description", "")) < 10]
        assert bare == [], where


def test_every_parameter_and_condition_is_used(source: Document, nested: dict[str, Document]) -> None:
    for where, template in {"template": source, **nested}.items():
        body = {name: template.get(name, {}) for name in ("Globals", "Conditions", "Resources", "Outputs")}
        assert template["Parameters"].keys() <= reading.references(body), where
        text = str(body)
        assert all(f"'{name}'" in text for name in template.get("Conditions", {})), where


def test_whatever_may_load_onnxruntime_is_told_to_call_nobody():
    """Its telemetry is on otherwise: names are looked up and connections made, wherever it is imported."""
    template = reading.read(reading.TEMPLATE)
    assert template["Globals"]["Function"]["Environment"]["Variables"]["ORT_DISABLE_TELEMETRY"] == "1"
    definitions = of_type(template, "AWS::Batch::JobDefinition").values()
    containers = [definition["Properties"]["ContainerProperties"] for definition in definitions]
    trainers = [container for container in containers if container["Command"][-1] == "trainer"]
    assert len(trainers) == 2
    assert all({"Name": "ORT_DISABLE_TELEMETRY", "Value": "1"} in each["Environment"] for each in trainers)
