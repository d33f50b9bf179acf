"""The template in its forms. All of it is data: nothing is deployed, nothing outside this machine is asked."""

import pytest

from tests.template import reading
from tests.template.reading import Document


@pytest.fixture(scope="session", autouse=True)
def region():
    """SAM's translator asks for a region; which one does not matter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture(scope="session")
def source() -> Document:
    """template.yaml as it stands."""
    return reading.read(reading.TEMPLATE)


@pytest.fixture(scope="session")
def generated(source: Document, region: None) -> dict[str, Document]:
    """Plain CloudFormation by environment, conditions undecided."""
    return {environment: reading.transformed(source, environment) for environment in ("local", "dev")}


@pytest.fixture(scope="session")
def local(generated: dict[str, Document]) -> Document:
    """What the local stack is made of."""
    return reading.carried_out(generated["local"], "local")


@pytest.fixture(scope="session")
def aws(generated: dict[str, Document]) -> Document:
    """What a deployment to AWS is made of."""
    return reading.carried_out(generated["dev"], "dev")


@pytest.fixture(scope="session")
def nested() -> dict[str, Document]:
    """The nested templates by the logical id of their stack."""
    return {name: reading.read(path) for name, path in reading.NESTED.items()}
