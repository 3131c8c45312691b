"""The rooms of pipeline/ are a ladder: each imports only from those below it; and what is spelled in one place."""

import ast
import re

from tests.sdk import ROOT

LADDER = (
    *("errors", "timestamps", "recent", "hubspot", "fingerprints", "names", "config", "reading"),
    *("stages", "rows", "tables", "audits", "connection", "commands", "__main__"),
)
SPELLED_ONCE = {"occurredAt", "occurredBefore", "occurredAfter", "eventTypes", "paging"}


def modules():
    return sorted((ROOT / "pipeline").rglob("*.py"))


def imported(path):
    """The modules of this project that a file imports, as paths of names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (
            name.split(".") for name in names if name.split(".")[0] in ("pipeline", "connector", "simulator", "tests")
        )


def room(path):
    return path.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")


def test_every_room_has_its_place_in_the_ladder():
    assert {room(path) for path in modules()} - {"__init__"} == set(LADDER)


def test_a_room_imports_only_from_those_below_it():
    for path in modules():
        for name in imported(path) if path != ROOT / "pipeline" / "__init__.py" else ():
            assert name[0] == "pipeline" and len(name) > 1, f"{path} imports {'.'.join(name)}"
            assert LADDER.index(name[1]) <= LADDER.index(room(path)), f"{path} imports upward: {'.'.join(name)}"


def test_no_two_modules_import_each_other_in_a_circle():
    graph = {}
    for path in modules():
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {".".join(parts) for parts in imported(path)}
    while leaves := [name for name, targets in graph.items() if not targets & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, f"circles among {sorted(graph)}"


def test_only_connector_py_knows_the_sdk():
    assert not [path for path in modules() if re.search("(import|from) fivetran", path.read_text("utf-8"))]


def test_hubspots_names_are_spelled_in_one_file():
    """In code, that is: docstrings may show an event."""
    spelled = set()
    for path in modules():
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        spelled |= {(path.name, word) for word in texts & SPELLED_ONCE}
    assert spelled == {("events_api.py", word) for word in SPELLED_ONCE}
