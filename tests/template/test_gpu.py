"""Jobs with a GPU: nothing of them exists unless asked for, nothing runs while nobody trains, and no own code."""

import re
from typing import Any

import pytest

from tests.template import reading
from tests.template.reading import Document, of_type
from tests.template.test_resources import functions, statements, target

OWN = re.compile("Gpu")
TYPES = "g4dn.xlarge,g5.xlarge"


@pytest.fixture(scope="module")
def with_gpus(generated: dict[str, Document]) -> Document:
    return reading.carried_out(generated["dev"], "dev", GpuInstanceTypes=TYPES, OwnCode="true")


def variables(container: Document) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in container["Environment"]}


def test_there_are_none_unless_asked_for(aws: Document, source: Document) -> None:
    assert source["Parameters"]["GpuInstanceTypes"]["Default"] == ""
    assert [name for name in aws["Resources"] if OWN.match(name)] == []
    training = functions(aws)["TrainingFunction"]["Environment"]["Variables"]
    assert (training["GPU_JOB_QUEUE"], training["GPU_JOB_DEFINITION"]) == ("", "")
    assert aws["Resources"]["Network"]["Properties"]["Parameters"]["PublicInstances"] == "false"


def test_instances_run_only_for_jobs_and_up_to_the_limit(with_gpus: Document) -> None:
    computing = with_gpus["Resources"]["GpuEnvironment"]["Properties"]["ComputeResources"]
    assert (computing["Type"], computing["MinvCpus"], computing["MaxvCpus"]) == ("EC2", 0, {"Ref": "MaxGpuVcpus"})
    assert "DesiredvCpus" not in computing
    assert computing["InstanceTypes"] == {"Fn::Split": [",", {"Ref": "GpuInstanceTypes"}]}
    assert computing["Ec2Configuration"] == [{"ImageType": "ECS_AL2023_NVIDIA"}]
    assert with_gpus["Resources"]["Network"]["Properties"]["Parameters"]["PublicInstances"] == "true"


def test_what_an_instance_stores_is_encrypted_and_its_role_needs_a_token(with_gpus: Document) -> None:
    launched = with_gpus["Resources"]["GpuLaunchTemplate"]["Properties"]["LaunchTemplateData"]
    assert launched["MetadataOptions"]["HttpTokens"] == "required"
    (disk,) = launched["BlockDeviceMappings"]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["DeleteOnTermination"]) == (True, True)


def test_a_job_is_the_trainers_with_one_gpu(with_gpus: Document) -> None:
    definitions = of_type(with_gpus, "AWS::Batch::JobDefinition")
    usual, job = (definitions[name]["Properties"] for name in ("TrainingJobDefinition", "GpuJobDefinition"))
    container = job["ContainerProperties"]
    assert job["PlatformCapabilities"] == ["EC2"]
    assert "NetworkConfiguration" not in container, "Batch refuses it for jobs on EC2"
    assert {"Type": "GPU", "Value": "1"} in container["ResourceRequirements"]
    for name in ("JobRoleArn", "Command", "LogConfiguration"):
        assert container[name] == usual["ContainerProperties"][name]
    own = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility", "GPU_REQUIRED": "1"}
    assert variables(container) == {**variables(usual["ContainerProperties"]), **own}
    assert job["Timeout"] == usual["Timeout"]
    assert job["RetryStrategy"]["Attempts"] == usual["RetryStrategy"]["Attempts"]


def test_peoples_own_code_never_runs_on_these_instances(with_gpus: Document) -> None:
    """Containers there share the network of the instance, and with it the way to the instance's role."""
    code = with_gpus["Resources"]["CodeJobDefinition"]["Properties"]
    assert code["PlatformCapabilities"] == ["FARGATE"], "Batch refuses such a job in a queue of EC2"
    on_ec2 = [
        name
        for name, each in of_type(with_gpus, "AWS::Batch::JobDefinition").items()
        if "EC2" in each["Properties"]["PlatformCapabilities"]
    ]
    assert on_ec2 == ["GpuJobDefinition"]


def test_training_alone_may_submit_to_the_queue(with_gpus: Document) -> None:
    allowed = {
        role
        for role, each in statements(with_gpus)
        if {"GpuQueue", "GpuJobDefinition"} & reading.references(each["Resource"])
    }
    assert allowed == {"TrainingFunctionRole"}
    training = functions(with_gpus)["TrainingFunction"]["Environment"]["Variables"]
    assert (target(training["GPU_JOB_QUEUE"]), target(training["GPU_JOB_DEFINITION"])) == (
        "GpuQueue",
        "GpuJobDefinition",
    )


def test_the_ends_of_such_jobs_are_heard_of_and_lost_ones_are_found(with_gpus: Document, aws: Document) -> None:
    def queues(template: Document) -> set[str]:
        (rule,) = [each for name, each in of_type(template, "AWS::Events::Rule").items() if "JobState" in name]
        return {target(each) for each in rule["Properties"]["EventPattern"]["detail"]["jobQueue"]}

    assert queues(with_gpus) == {*queues(aws), "GpuQueue"}
    reconcile = functions(with_gpus)["ReconcileFunction"]["Environment"]["Variables"]
    assert target(reconcile["GPU_JOB_QUEUE"]) == "GpuQueue"


def test_locally_the_same_jobs_run_without_instances(generated: dict[str, Document]) -> None:
    local = reading.carried_out(generated["local"], "local", GpuInstanceTypes=TYPES)
    names = {name for name in local["Resources"] if OWN.match(name)}
    assert names == {"GpuEnvironment", "GpuQueue", "GpuJobDefinition"}
    container = local["Resources"]["GpuJobDefinition"]["Properties"]["ContainerProperties"]
    assert variables(container)["GPU_REQUIRED"] == "", "a laptop may have none"


@pytest.mark.parametrize(
    ("types", "allowed"),
    [
        *[(types, True) for types in ("", "g4dn.xlarge", TYPES, "p5.4xlarge", "g6e.48xlarge", "p4d.24xlarge")],
        *[(types, False) for types in ("g4dn", "m5.large", "g4dn.xlarge, g5.xlarge", "g4dn.xlarge,", "t4g.small")],
    ],
)
def test_types_without_a_gpu_are_refused(source: Document, types: str, allowed: bool) -> None:
    pattern = source["Parameters"]["GpuInstanceTypes"]["AllowedPattern"]
    assert (re.fullmatch(pattern, types) is not None) is allowed
