"""The zip functions of the template as they are deployed: a folder, layers, and a budget for their size."""

from dataclasses import dataclass
from pathlib import Path

from infra.artifacts import ROOT, size
from infra.local.packaging import read_template

MB = 1_000_000
BUILT_LAYERS = ("WebLayer", "TokensLayer", "InferenceLayer")
CONTROL_PLANE = 60 * MB
BUDGETS = {"predict": 170 * MB, "promotion": 215 * MB, "sessions": 80 * MB}
"""Unzipped bytes of the functions that may be larger than those of the control plane."""


@dataclass(frozen=True)
class Artifact:
    """A function of the template: its own folder and those of its layers, in the order of the template."""

    logical_id: str
    folder: Path
    layers: tuple[Path, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def budget(self) -> int:
        """Bytes that code and layers may have unzipped."""
        return BUDGETS.get(self.name, CONTROL_PLANE)

    def size(self) -> int:
        """Bytes of code and layers, unzipped."""
        return size(self.folder) + sum(size(layer) for layer in self.layers)


def zip_functions(built: Path) -> dict[str, Artifact]:
    """Read the zip functions of the template, by the name of their folder; `built` is the folder of `sam build`."""
    resources = read_template(ROOT / "template.yaml")["Resources"]
    artifacts = {}
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] != "AWS::Serverless::Function" or "CodeUri" not in properties:
            continue
        layers = (layer["Ref"] for layer in properties.get("Layers", []))
        folders = tuple(
            built / name if name in BUILT_LAYERS else ROOT / resources[name]["Properties"]["ContentUri"]
            for name in layers
        )
        artifact = Artifact(logical_id, ROOT / properties["CodeUri"], folders)
        artifacts[artifact.name] = artifact
    return artifacts
