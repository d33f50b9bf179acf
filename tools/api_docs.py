"""Write docs/api.md from the OpenAPI document: every route with its fields, bounds and defaults.

No maintained generator makes a page that people can read. essentials-openapi (behind the MkDocs plug-in of neoteroi)
writes 430 kB in 17,000 lines, where this page has 27 kB: it repeats each schema and each error as JSON at every route,
shows bounds and descriptions of fields only there, and invents examples outside the bounds. Swagger UI
(mkdocs-swagger-ui-tag) works neither on a forge nor with the search of the site; the platform serves it at /docs.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

PREFACE = """# The API

`make openapi` writes this page from the code. The platform serves the same document for programs at `/openapi.json`,
and as pages at `/docs`.

Bodies are JSON. Every route needs the header `x-api-key`, except those marked *open*. A key has a role, and each role
may do what the ones before it may do: `predict` may call the predict routes, `read` may send any GET but those of
webhooks, `feedback` may give labels, `train` may start training, cancel what it has started, change tags and notes of
runs and ask for transitions that others have to approve, `approve` may promote, roll back, roll out, approve and
reject, and `admin` may do everything. A key may be for some models only. With a missing or wrong key, or one that is
not for the model, the answer is 403.

Lists come in pages. To read the next page, send the `next_cursor` of the answer as `cursor`. On the last page it is
null.

Errors are RFC 9457 problem documents (`application/problem+json`) with `type`, `title`, `status`, `detail`, `code` and
`request_id`. `detail` says what is wrong and what to do.

| status | meaning |
| --- | --- |
| 403 | The key is missing or wrong, its role does not allow the request, or it is not for the model |
| 404 | There is no such route, or nothing with this name |
| 409 | The request does not fit the current state; `code` says why |
| 413 | The body is too large |
| 422 | The request is not valid; `errors` names each invalid field |
| 429 | Too many requests |
| 502 | The model registry refused the request |
| 503 | A service behind the platform does not answer; try again after `Retry-After` seconds |

Unknown fields and parameters, NaN, infinities, and strings or booleans in place of numbers are refused.
"""


def render(document: dict[str, Any]) -> str:
    """Return the page for a document."""
    schemas = document["components"]["schemas"]
    parts = [PREFACE]
    used: list[str] = []
    for path, methods in sorted(document["paths"].items()):
        for method, operation in methods.items():
            parts.append("\n".join(_operation(path, method, operation, schemas, used)))
    parts.append("# Answers\n")
    for name in _closure(used, schemas):
        parts.append("\n".join(_answer(name, schemas[name])))
    return "\n".join(parts).rstrip() + "\n"


def _operation(path: str, method: str, operation: Schema, schemas: Schema, used: list[str]) -> Iterator[str]:
    yield f"## {method.upper()} {path}{'' if operation['security'] else ' *(open)*'}\n"
    yield f"{operation.get('description') or operation['summary']}\n"
    rows = [_row(each["name"], each["schema"], each["in"], each.get("required", False)) for each in _inputs(operation)]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if name := _named(body):
        required = schemas[name].get("required", [])
        rows += [_row(field, s, "body", field in required) for field, s in schemas[name]["properties"].items()]
        used += _references(schemas[name], schemas)
    if rows:
        yield "| field | where | what | default |\n| --- | --- | --- | --- |"
        yield from rows
        yield ""
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        if status.startswith("2") and (name := _named(schema)):
            used.append(name)
            yield f"Answers {status} [{name}](#{name.lower()}).\n"


def _inputs(operation: Schema) -> list[Schema]:
    return [each for each in operation.get("parameters", []) if each["name"].lower() != "x-api-key"]


def _answer(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {name}\n"
    if schema.get("description"):
        yield f"{schema['description']}\n"
    yield "| field | type | what |\n| --- | --- | --- |"
    for field, each in schema.get("properties", {}).items():
        yield f"| {field} | {_type(each)} | {_cell(each.get('description', ''))} |"
    yield ""


def _closure(names: list[str], schemas: Schema) -> list[str]:
    """Return the named schemas and those that they refer to, directly or not."""
    reached: set[str] = set()
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _references(schemas[name], schemas)
    return sorted(reached)


def _references(schema: Schema, schemas: Schema) -> list[str]:
    """Return the names of the schemas that a schema refers to."""
    return [each for each in schemas if f"'#/components/schemas/{each}'" in str(schema)]


def _row(name: str, schema: Schema, where: str, required: bool) -> str:
    default = "required" if required else _value(schema.get("default"))
    what = ". ".join(part for part in (_type(schema), schema.get("description", "")) if part)
    return f"| {name} | {where} | {_cell(what)} | {default} |"


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return f"[{_named(schema)}](#{_named(schema).lower()})"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_type(each) for each in options if each.get("type") != "null")
    if "enum" in schema or "const" in schema:
        return " / ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}{_bounds(schema, 'minItems', 'maxItems')}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"object of {_type(inner)}" if isinstance(inner, dict) else "object"
    return (
        f"{schema.get('type', 'any')}{_bounds(schema, 'minimum', 'maximum')}{_bounds(schema, 'minLength', 'maxLength')}"
    )


def _bounds(schema: Schema, low: str, high: str) -> str:
    """In words: how large a number, how long a text or how many entries; bounds beyond a million say nothing."""
    least, most = (schema[name] if abs(schema.get(name, 1e6)) < 1e6 else None for name in (low, high))
    unit = {"minLength": " characters", "minItems": " entries"}.get(low, "")
    if least is not None and most is not None:
        return f", {least:g} to {most:g}{unit}"
    if least == 1 and unit:
        return ", not empty"
    if least is not None:
        return f", at least {least:g}{unit}"
    return "" if most is None else f", at most {most:g}{unit}"


def _value(value: Any) -> str:
    return "" if value is None or value == "" else f"`{value}`"


def _named(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
