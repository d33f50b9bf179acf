"""Functions with their layers inside, for emulators that mount none."""

import io
import zipfile
from pathlib import Path

from infra.artifacts import ROOT
from infra.local.packaging import package, read_template
from tools.runtime.functions import zip_functions
from tools.runtime.merged import archive, with_layers_inside


def built(folder: Path) -> Path:
    """What `sam build` makes of the layers, with a package in each."""
    for layer, package_name in {"WebLayer": "webbed", "TokensLayer": "verified", "InferenceLayer": "inferred"}.items():
        (folder / layer / "python" / package_name).mkdir(parents=True)
        (folder / layer / "python" / package_name / "__init__.py").write_text("")
    return folder


def test_a_function_has_its_own_code_and_that_of_all_its_layers(tmp_path: Path) -> None:
    functions = zip_functions(built(tmp_path))
    names = {name: set(zipfile.ZipFile(io.BytesIO(archive(each))).namelist()) for name, each in functions.items()}
    assert {"predict/app.py", "mlops/settings.py", "inferred/__init__.py"} <= names["predict"]
    assert "webbed/__init__.py" not in names["predict"]
    assert {"webbed/__init__.py", "inferred/__init__.py"} <= names["promotion"]
    assert [name for name, found in names.items() if "verified/__init__.py" in found] == ["sessions"]
    assert not any("__pycache__" in each for found in names.values() for each in found)


def test_an_unchanged_function_has_an_unchanged_archive(tmp_path: Path) -> None:
    functions = zip_functions(built(tmp_path))
    assert archive(functions["portal"]) == archive(functions["portal"])


def test_the_template_has_no_layers_left(tmp_path: Path) -> None:
    template, _ = package(read_template(ROOT / "template.yaml"), ROOT, "code")
    functions = zip_functions(built(tmp_path))
    merged, archives = with_layers_inside(template, functions, "code")
    resources = merged["Resources"]
    assert not [name for name, each in resources.items() if each["Type"] == "AWS::Serverless::LayerVersion"]
    addresses = {resources[each.logical_id]["Properties"]["CodeUri"] for each in functions.values()}
    assert addresses == {f"s3://code/{key}" for key in archives}
    assert len(archives) == len(functions)
    assert all("Layers" not in resources[each.logical_id]["Properties"] for each in functions.values())
    assert "Layers" in template["Resources"]["PortalFunction"]["Properties"], "the caller's template stays as it was"
