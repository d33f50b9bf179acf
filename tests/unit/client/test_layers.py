"""Which module of the client may import which."""

import ast
from pathlib import Path

from infra.local.settings import ROOT

CLIENT = ROOT / "client" / "mlops_client"


def imports() -> dict[str, set[str]]:
    """Each module's imports of other modules of the client, those within functions and for types included."""
    modules = {_name(path): path for path in CLIENT.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        found: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {module if module in modules else node.module for module in inner}
        graph[name] = found & modules.keys() - {name}
    return graph


def _name(path: Path) -> str:
    parts = path.relative_to(CLIENT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_module_imports_itself_by_way_of_others():
    graph = imports()
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way, name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_what_takes_aws_credentials_stands_apart():
    inside = "mlops_client.operator"
    commands = [f"mlops_client.cli.{name}" for name in ("access", "backups", "operator")]
    for name, found in imports().items():
        if not name.startswith(inside) and name not in commands:
            assert not {other for other in found if other.startswith(inside)}, name
    for path in CLIENT.rglob("*.py"):
        if "operator" not in path.parts:
            assert "boto" not in path.read_text(), path
