"""The rooms of pipeline/ are a ladder: each imports only from those below it, and functions stay
short.
"""

import ast

import pytest

from tests.sdk import ROOT

LADDER = (
    *("errors", "timestamps", "recent", "hubspot", "fingerprints", "names", "config", "reading"),
    *("stages", "rows", "tables", "audits", "connection", "commands", "__main__"),
)
SPELLED_ONCE = ("occurredAt", "occurredBefore", "occurredAfter", "eventTypes", "paging")


def modules(*folders):
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts
    )


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
    assert {room(path) for path in modules("pipeline")} - {"__init__"} == set(LADDER)


@pytest.mark.parametrize("path", modules("pipeline"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_those_below_it(path):
    if path == ROOT / "pipeline" / "__init__.py":
        return
    for name in imported(path):
        assert name[0] == "pipeline" and len(name) > 1, f"{path} imports {'.'.join(name)}"
        assert LADDER.index(name[1]) <= LADDER.index(room(path)), f"{path} imports upward: {'.'.join(name)}"


def test_no_two_modules_import_each_other_in_a_circle():
    graph = {}
    for path in modules("pipeline"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {".".join(parts) for parts in imported(path)}
    while leaves := [name for name, targets in graph.items() if not targets & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, f"circles among {sorted(graph)}"


def test_only_connector_py_knows_the_sdk():
    assert not [path for path in modules("pipeline") if "import fivetran_connector_sdk" in path.read_text("utf-8")]
    assert not [path for path in modules("pipeline") if "from fivetran_connector_sdk" in path.read_text("utf-8")]


@pytest.mark.parametrize("word", SPELLED_ONCE)
def test_hubspots_names_are_spelled_in_one_file(word):
    """In code, that is: docstrings may show an event."""
    spelled = []
    for path in modules("pipeline"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        spelled += [path.name for text in texts if text == word]
    assert set(spelled) == {"events_api.py"}
