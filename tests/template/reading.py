"""The template as data: as it stands, and as CloudFormation would carry it out in one environment."""

import copy
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
NESTED = {name: ROOT / "infra" / f"{name.lower()}.yaml" for name in ("Network", "Database", "Observability")}

Document = dict[str, Any]


class _NoManagedPolicies:
    """Names of managed policies are not used, only their ARNs, so there is no list to look in."""

    def load(self) -> dict[str, str]:
        return {}


@cache
def _parsed(path: Path) -> str:
    return json.dumps(yaml_parse(path.read_text()))


def read(path: Path) -> Document:
    """A template with short forms spelled out and aliases resolved, the caller's own to change."""
    document: Document = json.loads(_parsed(path))
    return document


def packaged(source: Document) -> Document:
    """What `sam package` makes of it: addresses in place of folders and of nested templates."""
    document = copy.deepcopy(source)
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri"):
            if isinstance(properties.get(name), str):
                properties[name] = "s3://code/archive.zip"
        if "TemplateURL" in properties:
            properties["TemplateURL"] = "https://code.s3.us-east-1.amazonaws.com/nested.template"
    return document


def transformed(source: Document, environment: str, **parameters: str) -> Document:
    """The plain CloudFormation that SAM makes of the packaged template. AWS_DEFAULT_REGION has to be set."""
    result: Document = transform(packaged(source), {"Environment": environment, **parameters}, _NoManagedPolicies())
    return json.loads(json.dumps(result))


def carried_out(template: Document, environment: str, **values: str) -> Document:
    """A transformed template with its conditions decided: what is not made is gone, `Fn::If` has chosen."""
    defaults = {name: each.get("Default") for name, each in template["Parameters"].items()}
    parameters = {**defaults, "Environment": environment, **values}
    conditions = {
        name: _holds(each, template["Conditions"], parameters) for name, each in template["Conditions"].items()
    }
    result = copy.deepcopy(template)
    for section in ("Resources", "Outputs"):
        kept = {name: each for name, each in result[section].items() if conditions.get(each.get("Condition"), True)}
        result[section] = _chosen(kept, conditions)
    return result


def _holds(condition: Any, known: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    ((operator, operands),) = condition.items()
    match operator:
        case "Condition":
            return _holds(known[operands], known, parameters)
        case "Fn::Equals":
            left, right = (parameters[each["Ref"]] if isinstance(each, dict) else each for each in operands)
            return bool(str(left) == str(right))
        case "Fn::Not":
            return not _holds(operands[0], known, parameters)
        case "Fn::And":
            return all(_holds(each, known, parameters) for each in operands)
        case "Fn::Or":
            return any(_holds(each, known, parameters) for each in operands)
    raise ValueError(f"the condition function {operator} is not known here")


_GONE = object()


def _chosen(value: Any, conditions: Mapping[str, bool]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"Fn::If"}:
            condition, then, otherwise = value["Fn::If"]
            return _chosen(then if conditions[condition] else otherwise, conditions)
        if value == {"Ref": "AWS::NoValue"}:
            return _GONE
        items = {name: _chosen(each, conditions) for name, each in value.items()}
        return {name: each for name, each in items.items() if each is not _GONE}
    if isinstance(value, list):
        return [each for each in (_chosen(each, conditions) for each in value) if each is not _GONE]
    return value


def of_type(template: Document, *types: str) -> dict[str, Document]:
    """Resources of the types by logical id."""
    return {name: each for name, each in template["Resources"].items() if each["Type"] in types}


def policies(template: Document) -> Iterator[tuple[str, Document]]:
    """The roles' own policies, those that are resources by themselves included, each with its role."""
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            yield name, policy
    for policy in of_type(template, "AWS::IAM::Policy").values():
        roles = policy["Properties"]["Roles"]
        # A parameter may have the names of several.
        for role in [roles["Fn::Split"][1]] if isinstance(roles, dict) else roles:
            yield role["Ref"], policy["Properties"]


def walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each value inside, itself included, and the way there."""
    yield path, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from walk(each, (*path, str(name)))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from walk(each, (*path, str(index)))


def references(value: Any) -> set[str]:
    """Names that `Ref`, `Fn::GetAtt`, `Fn::Sub` and `DependsOn` inside a value lead to, parameters among them."""
    found: set[str] = set()
    for path, each in walk(value):
        if path[-1:] == ("DependsOn",):
            found |= {each} if isinstance(each, str) else set(each)
        if not isinstance(each, dict) or len(each) != 1:
            continue
        ((function, operand),) = each.items()
        if function == "Ref":
            found.add(operand)
        elif function == "Fn::GetAtt":
            found.add((operand if isinstance(operand, list) else operand.split("."))[0])
        elif function == "Fn::Sub":
            text, own = (operand[0], operand[1]) if isinstance(operand, list) else (operand, {})
            names = {part.split("}")[0].split(".")[0] for part in text.split("${")[1:] if not part.startswith("!")}
            found |= names - own.keys()
    return {name for name in found if not name.startswith("AWS::")}


def needs(template: Document) -> dict[str, set[str]]:
    """For each resource, the resources that have to be there before it."""
    resources = template["Resources"]
    return {name: references(each) & resources.keys() - {name} for name, each in resources.items()}


def all_needs(template: Document, name: str) -> set[str]:
    """What a resource needs, and what that needs, and so on; the resource itself only if it is in a circle."""
    graph, found, todo = needs(template), set[str](), [name]
    while todo:
        for each in graph[todo.pop()] - found:
            found.add(each)
            todo.append(each)
    return found
