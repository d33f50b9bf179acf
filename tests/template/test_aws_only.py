"""What a deployment to AWS has and the local stack has not: network, database, tracking, migration."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.template import reading
from tests.template.reading import Document, all_needs, of_type
from tracking.access import ALLOWED, CODE_ALLOWED, MODEL_ID

AWS_ONLY = re.compile("Network|Database|Tracking|Migration|AccessLogs|ApiGateway|TrainingJobLogs|Observability")
USE_THE_DATABASE = ("TrackingFunction", "ExperimentsFunction", "ModelsFunction")


def outputs_asked(template: Document) -> dict[str, set[str]]:
    """By nested stack, the outputs that something asks for."""
    asked: dict[str, set[str]] = {}
    for _, each in reading.walk(template["Resources"]):
        if isinstance(each, dict) and len(each) == 1 and isinstance(found := each.get("Fn::GetAtt"), list):
            name, attribute = found
            if attribute.startswith("Outputs."):
                asked.setdefault(name, set()).add(attribute.removeprefix("Outputs."))
    return asked


def test_the_local_stack_has_none_of_it(aws: Document, local: Document) -> None:
    missing = aws["Resources"].keys() - local["Resources"].keys()
    assert {name for name in missing if not AWS_ONLY.match(name)} == set(), "left out locally without need"
    assert {name for name in local["Resources"] if AWS_ONLY.match(name)} == set()
    assert {"Network", "Database", "TrackingApi", "TrackingFunction", "Migration"} <= missing


def test_nothing_local_refers_to_what_is_not_there(local: Document) -> None:
    known = local["Resources"].keys() | local["Parameters"].keys()
    dangling = {
        name: missing
        for section in ("Resources", "Outputs")
        for name, each in local[section].items()
        if (missing := reading.references({key: value for key, value in each.items() if key != "Metadata"}) - known)
    }
    assert dangling == {}


def test_the_local_functions_learn_their_addresses_from_parameters(local: Document) -> None:
    variables = {
        name: each["Properties"]["Environment"]["Variables"]
        for name, each in of_type(local, "AWS::Lambda::Function").items()
    }
    assert variables["TransitionsFunction"]["MLFLOW_TRACKING_URI"] == {"Ref": "TrackingUri"}
    assert variables["ModelsFunction"]["DATABASE_HOST"] == {"Ref": "DatabaseHost"}
    assert "VpcConfig" not in local["Resources"]["ModelsFunction"]["Properties"]


@pytest.mark.parametrize("name", list(reading.NESTED))
def test_a_nested_stack_gets_what_it_asks_for(aws: Document, nested: dict[str, Document], name: str) -> None:
    declared = nested[name]["Parameters"]
    given = aws["Resources"][name]["Properties"]["Parameters"].keys()
    assert given <= declared.keys()
    assert {each for each, parameter in declared.items() if "Default" not in parameter} <= given


@pytest.mark.parametrize("name", ["Network", "Database"])
def test_a_nested_stack_answers_what_it_is_asked(aws: Document, nested: dict[str, Document], name: str) -> None:
    assert outputs_asked(aws)[name] == nested[name]["Outputs"].keys()


def test_a_nested_parameter_has_the_default_and_bounds_of_its_outer_one(
    source: Document, nested: dict[str, Document]
) -> None:
    for name, template in nested.items():
        for inner, value in source["Resources"][name]["Properties"]["Parameters"].items():
            if value.get("Ref") in source["Parameters"]:
                outer, own = source["Parameters"][value["Ref"]], template["Parameters"][inner]
                for key in ("Type", "Default", "MinValue", "MaxValue", "AllowedValues"):
                    assert outer.get(key) == own.get(key), f"{value['Ref']} and {name}.{inner}: {key}"


def test_the_network_costs_nothing_at_rest(nested: dict[str, Document]) -> None:
    network = nested["Network"]
    assert not of_type(network, "AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::TransitGatewayAttachment")
    kinds = {each["Properties"]["VpcEndpointType"] for each in of_type(network, "AWS::EC2::VPCEndpoint").values()}
    assert kinds == {"Gateway"}


def test_private_subnets_have_no_way_to_the_internet(nested: dict[str, Document]) -> None:
    network = nested["Network"]
    tables = {
        each["Properties"]["SubnetId"]["Ref"]: each["Properties"]["RouteTableId"]["Ref"]
        for each in of_type(network, "AWS::EC2::SubnetRouteTableAssociation").values()
    }
    routed = {each["Properties"]["RouteTableId"]["Ref"] for each in of_type(network, "AWS::EC2::Route").values()}
    assert tables.keys() == of_type(network, "AWS::EC2::Subnet").keys()
    assert {subnet for subnet, table in tables.items() if table in routed} == {"PublicSubnetA", "PublicSubnetB"}


def test_only_functions_and_the_migration_reach_the_database(nested: dict[str, Document]) -> None:
    groups = of_type(nested["Network"], "AWS::EC2::SecurityGroup")
    admitted = {name: each["Properties"].get("SecurityGroupIngress", []) for name, each in groups.items()}
    assert not of_type(nested["Network"], "AWS::EC2::SecurityGroupIngress")
    assert {name for name, rules in admitted.items() if rules} == {"DatabaseSecurityGroup"}
    rules = admitted["DatabaseSecurityGroup"]
    assert {(rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) for rule in rules} == {(5432, 5432, "tcp")}
    sources = {rule["SourceSecurityGroupId"]["Ref"] for rule in rules}
    assert sources == {"FunctionsSecurityGroup", "MigrationSecurityGroup"}


def test_every_group_says_where_it_may_go(nested: dict[str, Document]) -> None:
    """A group without rules for what goes out may reach everything."""
    for name, each in of_type(nested["Network"], "AWS::EC2::SecurityGroup").items():
        assert each["Properties"]["SecurityGroupEgress"], name


def test_functions_are_in_the_network_only_for_the_database(aws: Document) -> None:
    inside = {name for name, each in of_type(aws, "AWS::Lambda::Function").items() if "VpcConfig" in each["Properties"]}
    assert inside == set(USE_THE_DATABASE)


def test_the_database_is_private_encrypted_and_protected(nested: dict[str, Document]) -> None:
    instance = nested["Database"]["Resources"]["Instance"]["Properties"]
    assert instance["StorageEncrypted"] is True
    assert instance["PubliclyAccessible"] is False
    assert instance["EnableIAMDatabaseAuthentication"] is True
    assert instance["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in instance
    assert nested["Database"]["Parameters"]["DeletionProtection"]["Default"] == "true"
    assert nested["Database"]["Resources"]["Settings"]["Properties"]["Parameters"]["rds.force_ssl"] == "1"


def test_the_logs_of_the_database_are_in_cloudwatch_and_kept_for_some_days(
    aws: Document, nested: dict[str, Document]
) -> None:
    """Each exported log has the name that RDS gives its group, and the migration's function may bound it."""
    exported = nested["Database"]["Resources"]["Instance"]["Properties"]["EnableCloudwatchLogsExports"]
    assert set(exported) == {"postgresql", "upgrade"}
    given = aws["Resources"]["Migration"]["Properties"]
    groups = "/aws/rds/instance/${Database.Outputs.Name}/"
    assert given["LogGroups"] == [{"Fn::Sub": f"{groups}{each}"} for each in exported]
    assert given["LogRetentionDays"] == {"Ref": "LogRetentionDays"}
    assert given["KmsKeyArn"] == {"Ref": "KmsKeyArn"}
    (statement,) = [
        each
        for policy in aws["Resources"]["MigrationFunctionRole"]["Properties"]["Policies"]
        for each in policy["PolicyDocument"]["Statement"]
        if "logs:PutRetentionPolicy" in each["Action"]
    ]
    assert statement["Resource"]["Fn::Sub"].endswith(f":log-group:{groups}*")


@pytest.mark.parametrize("name", USE_THE_DATABASE)
def test_a_function_may_log_in_as_the_user_it_says_it_is(aws: Document, name: str) -> None:
    variables = aws["Resources"][name]["Properties"]["Environment"]["Variables"]
    policies = aws["Resources"][f"{name}Role"]["Properties"]["Policies"]
    resources = [
        statement["Resource"]["Fn::Sub"][0]
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "rds-db:connect"
    ]
    assert [resource.rpartition("/")[2] for resource in resources] == [variables["DATABASE_USER"]]


def test_logins_are_the_roles_that_the_migration_makes(aws: Document) -> None:
    schema = (reading.ROOT / "functions/tracking/tracking/schema.sql").read_text()
    for name in USE_THE_DATABASE:
        user = aws["Resources"][name]["Properties"]["Environment"]["Variables"]["DATABASE_USER"]
        assert f"CREATE ROLE {user} LOGIN" in schema, name


def test_readers_cannot_use_up_the_connections(aws: Document) -> None:
    """The smallest database allows about 80, and a function may have hundreds of environments."""
    schema = (reading.ROOT / "functions/tracking/tracking/schema.sql").read_text()
    limits = {user: int(limit) for user, limit in re.findall(r"ALTER ROLE (\w+) CONNECTION LIMIT (\d+);", schema)}
    users = (aws["Resources"][name]["Properties"]["Environment"]["Variables"] for name in USE_THE_DATABASE)
    assert limits.keys() == {each["DATABASE_USER"] for each in users}
    assert sum(limits.values()) <= 70


def test_database_and_tracking_are_watched(aws: Document, nested: dict[str, Document]) -> None:
    given = aws["Resources"]["Observability"]["Properties"]["Parameters"]
    assert given["Database"] == {"Fn::GetAtt": ["Database", "Outputs.Name"]}
    watched = {
        (each["Properties"]["MetricName"], dimension["Value"]["Ref"])
        for each in of_type(nested["Observability"], "AWS::CloudWatch::Alarm").values()
        for dimension in each["Properties"].get("Dimensions", [])
        if isinstance(dimension["Value"], dict)
    }
    database = ("FreeStorageSpace", "FreeableMemory", "CPUCreditBalance", "DatabaseConnections")
    assert {*((metric, "Database") for metric in database)} <= watched
    assert {("Errors", "TrackingFunction"), ("Throttles", "TrackingFunction")} <= watched


def functions_watched(document: Document, name: str) -> Iterator[str]:
    """Each function of which an alarm of a template looks at a metric of Lambda, such as Errors."""
    for alarm in of_type(document, "AWS::CloudWatch::Alarm").values():
        properties = alarm["Properties"]
        stats = [each["MetricStat"] for each in properties.get("Metrics", []) if "MetricStat" in each]
        assert len(stats) <= 10, f"{properties['AlarmDescription']} An alarm has ten metrics at most: split it"
        for metric in [properties, *(stat["Metric"] for stat in stats)]:
            if (metric.get("Namespace"), metric.get("MetricName")) == ("AWS/Lambda", name):
                yield from (each["Value"]["Ref"] for each in metric["Dimensions"] if each["Name"] == "FunctionName")


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_an_alarm_watches_each_function(source: Document, nested: dict[str, Document], metric: str) -> None:
    """A new function that is in no alarm fails here. That of the migration fails the deployment itself."""
    watched = [*functions_watched(source, metric), *functions_watched(nested["Observability"], metric)]
    functions = {name for name in of_type(source, "AWS::Serverless::Function") if name != "MigrationFunction"}
    assert sorted(watched) == sorted(functions), f"each once: add it to Event{metric} or Request{metric}"


def test_the_dashboard_shows_the_errors_of_each_function_that_an_alarm_names(nested: dict[str, Document]) -> None:
    body = nested["Observability"]["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    shown = set(re.findall(r'"Errors", "FunctionName", "\$\{(\w+)\}"', body))
    assert shown >= set(functions_watched(nested["Observability"], "Errors"))


@pytest.mark.parametrize("name", USE_THE_DATABASE)
def test_the_migration_comes_before_what_uses_the_database(aws: Document, name: str) -> None:
    assert "Migration" in all_needs(aws, name)
    assert name not in all_needs(aws, "Migration")


def test_a_new_tracking_image_is_a_new_migration(source: Document) -> None:
    """CloudFormation calls a custom resource again only when its properties changed; a job definition's Ref changes
    with each of its revisions."""
    assert source["Resources"]["Migration"]["Properties"]["JobDefinition"] == {"Ref": "MigrationJobDefinition"}
    job = source["Resources"]["MigrationJobDefinition"]["Properties"]
    assert job["ContainerProperties"]["Image"] == {"Ref": "TrackingImage"}
    assert source["Resources"]["TrackingFunction"]["Properties"]["ImageUri"] == {"Ref": "TrackingImage"}


def test_each_waits_longer_than_what_it_waits_for(aws: Document) -> None:
    job = aws["Resources"]["MigrationJobDefinition"]["Properties"]["Timeout"]["AttemptDurationSeconds"]
    function = aws["Resources"]["MigrationFunction"]["Properties"]["Timeout"]
    assert job < function < aws["Resources"]["Migration"]["Properties"]["ServiceTimeout"]


def test_the_owners_password_is_for_the_migration_and_for_backups_alone(
    aws: Document, nested: dict[str, Document]
) -> None:
    asking = {name for name, each in aws["Resources"].items() if "SecretArn" in str(each)}
    jobs = {"MigrationJobDefinition", "BackupJobDefinition"}
    assert asking == {*jobs, "MigrationExecutionRole"}
    for job in jobs:
        container = aws["Resources"][job]["Properties"]["ContainerProperties"]
        (secret,) = container["Secrets"]
        assert secret["Name"] == "DATABASE_PASSWORD"
        assert secret["ValueFrom"]["Fn::Sub"][0].endswith(":password::")
        owner = next(each["Value"] for each in container["Environment"] if each["Name"] == "DATABASE_USER")
        assert owner == nested["Database"]["Resources"]["Instance"]["Properties"]["MasterUsername"]


def test_no_role_of_the_stack_may_start_the_job_of_a_restore(aws: Document) -> None:
    """It replaces all rows: only people with AWS credentials can start it."""
    naming = {name for name, each in aws["Resources"].items() if "BackupJobDefinition" in reading.references(each)}
    assert naming == set()


def test_tracking_answers_only_what_is_signed(aws: Document) -> None:
    body = aws["Resources"]["TrackingApi"]["Properties"]["Body"]
    operations: list[Any] = [operation for verbs in body["paths"].values() for operation in verbs.values()]
    assert len(operations) == 2
    assert all(operation["security"] == [{"AWS_IAM": []}] for operation in operations)
    # The function runs with its own role, not with the caller's.
    assert all("credentials" not in operation["x-amazon-apigateway-integration"] for operation in operations)


def test_whoever_is_told_where_tracking_is_may_call_it(aws: Document) -> None:
    told = {
        name
        for name, each in of_type(aws, "AWS::Lambda::Function").items()
        if "MLFLOW_TRACKING_URI" in each["Properties"]["Environment"]["Variables"]
    }
    roles = {f"{name}Role" for name in told} | {"TrainerRole"}
    allowed = {
        name
        for name, policy in reading.policies(aws)
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and statement["Action"] == "execute-api:Invoke"
    }
    assert allowed == roles


def test_whoever_asks_tracking_waits_until_it_has_started(aws: Document) -> None:
    """An environment that is not ready after ten seconds is started anew by Lambda."""
    functions = {name: each["Properties"] for name, each in of_type(aws, "AWS::Lambda::Function").items()}
    asking = {
        name: each for name, each in functions.items() if "MLFLOW_TRACKING_URI" in each["Environment"]["Variables"]
    }
    assert len(asking) > 5
    for name, each in asking.items():
        patience = float(each["Environment"]["Variables"]["TRACKING_TIMEOUT_SECONDS"])
        assert patience >= 2 * 10, name
        # The next request finds it started.
        assert each["Timeout"] >= patience + 8, name


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ("POST/api/2.0/mlflow/runs/create", True),
        ("POST/api/2.0/mlflow/runs/log-batch", True),
        ("POST/api/2.0/mlflow/model-versions/create", True),
        ("PATCH/api/2.0/mlflow/logged-models/m-1", True),
        ("POST/api/2.0/mlflow/registered-models/alias", False),
        ("DELETE/api/2.0/mlflow/registered-models/alias", False),
        ("POST/api/2.0/mlflow/model-versions/transition-stage", False),
        ("POST/ajax-api/2.0/mlflow/model-versions/transition-stage", False),
        ("DELETE/api/2.0/mlflow/registered-models/delete", False),
        ("POST/api/2.0/mlflow/registered-models/%61lias", False),
        ("POST/api/2.0/mlflow//registered-models/alias", False),
        ("POST/api/2.0/mlflow/registered-models/rename", False),
        ("POST/api/2.0/mlflow/model-versions/set-tag", False),
        ("POST/api/3.0/mlflow/runs/create", False),
        ("POST/graphql", False),
    ],
)
def test_a_trainer_records_but_does_not_decide(aws: Document, call: str, allowed: bool) -> None:
    def covers(statement: Document) -> bool:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        patterns = [each["Fn::Sub"].partition("${TrackingApi}/")[2] for each in resources if "Fn::Sub" in each]
        return any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), f"mlflow/{call}") for each in patterns if each)

    found = [statement for statement in statements_of(aws, "TrainerRole") if covers(statement)]
    assert bool(found and not any(each["Effect"] == "Deny" for each in found)) is allowed


@pytest.mark.parametrize(
    ("role", "allowed"), [("TrainerRole", ALLOWED), ("CodeRole", CODE_ALLOWED), ("NotebookRoles", CODE_ALLOWED)]
)
def test_iam_lists_the_paths_that_the_tracking_function_lets_a_job_ask(
    generated: dict[str, Document], role: str, allowed: frozenset[tuple[str, str]]
) -> None:
    made = reading.carried_out(generated["dev"], "dev", OwnCode="true", NotebookRoles="ana,ben")
    (statement,) = [each for each in statements_of(made, role) if each["Action"] == "execute-api:Invoke"]
    prefix = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${TrackingApi}/mlflow/"
    listed = {tuple(each["Fn::Sub"].removeprefix(prefix).split("/", 1)) for each in statement["Resource"]}
    assert listed == {(method, path.replace(MODEL_ID, "*")[1:]) for method, path in allowed}


def test_people_run_code_of_their_own_only_where_an_operator_allows_it(generated: dict[str, Document]) -> None:
    closed = reading.carried_out(generated["dev"], "dev")
    assert {"CodeRole", "CodeJobDefinition", "TrackingCodePolicy"}.isdisjoint(closed["Resources"])
    variables = closed["Resources"]["TrainingFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["CODE_JOB_DEFINITION"] == ""
    opened = reading.carried_out(generated["dev"], "dev", OwnCode="true")
    definition = opened["Resources"]["CodeJobDefinition"]["Properties"]["ContainerProperties"]
    assert definition["JobRoleArn"] == {"Fn::GetAtt": ["CodeRole", "Arn"]}
    assert "JOBS_TABLE" not in {each["Name"] for each in definition["Environment"]}
    assert code_roles(opened) == [{"Ref": "CodeRole"}, {"Ref": "NotebookRoles"}]
    statements = statements_of(opened, "CodeRole")
    assert not [each for each in statements if "dynamodb" in str(each["Action"])]
    writes = [
        resource["Fn::Sub"]
        for statement in statements
        if {"s3:PutObject", "s3:DeleteObject"} & set(listed(statement["Action"]))
        for resource in listed(statement["Resource"])
    ]
    assert writes == ["${ArtifactBucket.Arn}/mlflow/*/artifacts/*", "${ArtifactBucket.Arn}/code-checkpoints/*"]


def test_notebooks_may_log_and_change_nothing_else_only_where_an_operator_names_their_roles(
    generated: dict[str, Document],
) -> None:
    closed = reading.carried_out(generated["dev"], "dev")
    assert "NotebookPolicy" not in closed["Resources"]
    assert code_roles(closed) == ["", {"Ref": "NotebookRoles"}]
    opened = reading.carried_out(generated["dev"], "dev", NotebookRoles="ana,ben")
    actions = {action for each in statements_of(opened, "NotebookRoles") for action in listed(each["Action"])}
    assert actions == {"execute-api:Invoke", "s3:ListBucket", "s3:GetObject", "s3:PutObject"}
    pattern = generated["dev"]["Parameters"]["NotebookRoles"]["AllowedPattern"]
    assert [
        name
        for name in ("", "ana", "a_b,c-d", "ana, ben", "ana,", "arn:aws:iam::1:role/ana")
        if re.match(pattern, name)
    ] == ["", "ana", "a_b,c-d"]


def code_roles(template: Document) -> Any:
    """The roles that the tracking function limits as people's own code."""
    variables = template["Resources"]["TrackingFunction"]["Properties"]["Environment"]["Variables"]
    return variables["CODE_ROLES"]["Fn::Join"][1]


def test_the_tracking_function_knows_the_trainers_role_by_its_name(aws: Document) -> None:
    variables = aws["Resources"]["TrackingFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["TRAINER_ROLE"] == {"Ref": "TrainerRole"}
    definition = aws["Resources"]["TrainingJobDefinition"]["Properties"]["ContainerProperties"]
    assert definition["JobRoleArn"] == {"Fn::GetAtt": ["TrainerRole", "Arn"]}


def test_a_trainer_writes_artifacts_and_nothing_that_serves(aws: Document) -> None:
    writes = [
        resource["Fn::Sub"]
        for statement in statements_of(aws, "TrainerRole")
        if {"s3:PutObject", "s3:DeleteObject"} & set(listed(statement["Action"]))
        for resource in listed(statement["Resource"])
    ]
    assert writes == ["${ArtifactBucket.Arn}/mlflow/*/artifacts/*", "${ArtifactBucket.Arn}/checkpoints/*"]


def test_a_conversion_reads_what_was_logged_and_writes_its_result_only(aws: Document) -> None:
    rights = {
        (action, json.dumps(statement["Resource"]), json.dumps(statement.get("Condition", {})))
        for statement in statements_of(aws, "ConversionRole")
        for action in listed(statement["Action"])
    }
    assert rights == {
        ("s3:GetObject", '{"Fn::Sub": "${ArtifactBucket.Arn}/mlflow/*"}', "{}"),
        ("s3:PutObject", '{"Fn::Sub": "${ArtifactBucket.Arn}/conversions/*"}', "{}"),
        (
            "s3:ListBucket",
            '{"Fn::GetAtt": ["ArtifactBucket", "Arn"]}',
            '{"StringLike": {"s3:prefix": "mlflow/*"}}',
        ),
    }
    definition = aws["Resources"]["ConversionJobDefinition"]["Properties"]
    container = definition["ContainerProperties"]
    assert container["JobRoleArn"] == {"Fn::GetAtt": ["ConversionRole", "Arn"]}
    names = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    assert names.keys() == {"ARTIFACT_BUCKET", "AWS_DEFAULT_REGION", "CONVERSION_SECONDS", "ORT_DISABLE_TELEMETRY"}
    assert float(names["CONVERSION_SECONDS"]) < definition["Timeout"]["AttemptDurationSeconds"]


def statements_of(template: Document, role: str) -> list[Document]:
    return [
        statement
        for name, policy in reading.policies(template)
        if name == role
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_image_holds_what_runs_in_it(aws: Document) -> None:
    dockerfile = (reading.ROOT / "functions" / "tracking" / "Dockerfile").read_text()
    copies = (line.split()[1:] for line in dockerfile.splitlines() if line.startswith("COPY functions"))
    copied = {source: place for source, place in copies if not source.endswith("/packages.txt")}
    code = {path for path in (reading.ROOT / "functions" / "tracking").rglob("*") if path.suffix in (".py", ".sql")}
    assert code
    assert (
        {path.parent.relative_to(reading.ROOT).as_posix() for path in code}
        == {*copied}
        == {"functions/tracking/tracking"}
    )
    assert 'CMD ["/lambda-entrypoint.sh", "tracking.app.handler"]' in dockerfile
    assert copied["functions/tracking/tracking"] == "tracking"
    # Lambda's own entry point takes a handler's name and nothing else, and Batch cannot replace it.
    assert 'ENTRYPOINT ["/usr/bin/env"]' in dockerfile
    bundle = aws["Resources"]["TrackingFunction"]["Properties"]["Environment"]["Variables"]["DATABASE_CA_BUNDLE"]
    assert f"rds.pem {bundle}" in dockerfile
