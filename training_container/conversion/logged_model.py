"""A model as MLflow logged it: what its files say of it, and the model itself."""

import importlib
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conversion.errors import Refused
from conversion.versions import differences
from mlops.domain.conversion import FLAVOURS, REMEDY

if TYPE_CHECKING:
    from mlflow.models import Model

_MORE: dict[str, dict[str, Any]] = {"pytorch": {"weights_only": False}}
"""Arguments with which MLflow loads a flavour: modules are pickled whole, which torch refuses by default."""


@dataclass(frozen=True)
class LoggedModel:
    """The folder of a logged model.

    Attributes:
        folder: The folder, with MLmodel.
        description: What MLmodel says.
        flavour: The flavour that it is loaded by.
    """

    folder: Path
    description: "Model"
    flavour: str

    @classmethod
    def read(cls, folder: Path) -> "LoggedModel":
        """Read what the files say. Nothing is unpickled.

        Raises:
            Refused: There is no MLmodel, or none of its flavours can be converted.
        """
        from mlflow.models import Model

        try:
            description = Model.load(str(folder / "MLmodel"))
        except Exception as error:  # of MLflow, or of YAML, or of what they do with what they read
            raise Refused(f"its files have no MLmodel that can be read: {REMEDY}") from error
        if "onnx" in description.flavors:
            raise Refused("it was logged in ONNX format, so there is nothing to convert: promote it as it is")
        flavour = next((flavour for flavour in FLAVOURS if flavour in description.flavors), None)
        if flavour is None:
            found = ", ".join(description.flavors) or "none"
            raise Refused(f"its flavours are {found}, which say nothing of what is inside: {REMEDY}")
        return cls(folder, description, flavour)

    def check_versions(self) -> tuple[str, ...]:
        """Compare the versions of Python and of libraries with those that it was logged with.

        Returns:
            Sentences on differences that do no harm.

        Raises:
            Refused: It may not load, or behave otherwise. Names what differs.
        """
        found = differences(self.folder, self.flavour)
        if found.grave:
            raise Refused(
                f"it was logged with other versions than the platform has: {', '.join(found.grave)}. Convert it where "
                "it was trained, with mlops_client.log_model, or log it again with these versions"
            )
        return tuple(f"logged with {each}" for each in found.slight)

    def load(self) -> Any:
        """Load the model, which runs whatever was pickled. Raises Refused."""
        try:
            module = importlib.import_module(f"mlflow.{self.flavour}")
            model = module.load_model(str(self.folder), **_MORE.get(self.flavour, {}))
            if self.flavour == "pytorch":
                from conversion.exported import evaluable

                model = evaluable(model)
            return model
        except ModuleNotFoundError as error:
            raise Refused(
                f"it needs the package {error.name}, which the platform does not have: log it with code_paths, or "
                "convert it where it was trained, with mlops_client.log_model"
            ) from error
        except Exception as error:
            traceback.print_exc()
            slight = differences(self.folder, self.flavour).slight
            about = f" It was logged with {', '.join(slight)}." if slight else ""
            raise Refused(
                f"it cannot be loaded ({type(error).__name__}: {str(error)[:300]}).{about} Convert it where it was "
                "trained, with mlops_client.log_model"
            ) from error

    def example(self) -> Any:
        """Return the input example; None if there is none. Raises Refused if it cannot be read."""
        try:
            return self.description.load_input_example(str(self.folder))
        except Exception as error:
            raise Refused(
                f"its input example cannot be read ({type(error).__name__}: {str(error)[:300]}): log it again with "
                "input_example=…, some rows as the model takes them"
            ) from error
