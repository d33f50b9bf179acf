import io
import os
import zipfile

import pytest

from infra.local.errors import LocalStackError
from infra.local.packaging import package, read_template, zip_folder

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties: {CodeUri: functions/one, Layers: [!Ref Layer], Environment: {Variables: {A: !GetAtt Table.Arn}}}
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layers/core}
  Image:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image, ImageUri: !Ref Uri}
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    for name, text in (("functions/one/app.py", "x = 1"), ("layers/core/python/mlops/a.py", ""), ("layers/core/M", "")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(archive):
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_folders_become_addresses_and_the_rest_stays(root):
    packaged, archives = package(read_template(root / "template.yaml"), root, "code")
    function = packaged["Resources"]["Function"]
    key = function["Properties"]["CodeUri"].removeprefix("s3://code/")
    assert names(archives[key]) == ["app.py"]
    assert function["Properties"]["Layers"] == [{"Ref": "Layer"}]
    assert function["Properties"]["Environment"]["Variables"]["A"] == {"Fn::GetAtt": ["Table", "Arn"]}
    assert "Metadata" not in function
    layer = packaged["Resources"]["Layer"]["Properties"]["ContentUri"].removeprefix("s3://code/")
    assert names(archives[layer]) == ["python/mlops/a.py"]
    assert packaged["Resources"]["Image"]["Properties"] == {"PackageType": "Image", "ImageUri": {"Ref": "Uri"}}


def test_an_archive_depends_on_the_files_alone(root):
    folder = root / "functions/one"
    before = zip_folder(folder)
    os.utime(folder / "app.py", (1, 1))
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/app.pyc").write_bytes(b"x")
    assert zip_folder(folder) == before
    (folder / "app.py").write_text("x = 2")
    assert zip_folder(folder) != before


def test_a_layer_of_packages_alone_is_still_a_zip(root):
    (root / "layers/web").mkdir()
    assert names(zip_folder(root / "layers/web", layer=True)) == ["python/README"]


def test_a_missing_folder_is_named_with_its_resource(root):
    (root / "functions/one/app.py").unlink()
    (root / "functions/one").rmdir()
    with pytest.raises(LocalStackError, match=r"Function's CodeUri functions/one"):
        package(read_template(root / "template.yaml"), root, "code")


def test_a_template_that_cannot_be_read_is_one_line(root):
    (root / "template.yaml").write_text("a: [")
    with pytest.raises(LocalStackError) as caught:
        read_template(root / "template.yaml")
    assert "\n" not in str(caught.value)
