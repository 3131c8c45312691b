"""Each requirements file is sufficient: with what pip installs for it, and nothing else, the code that it is for can
be imported.
"""

import ast
import json
import subprocess
import sys
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement

from tests.dbt.warehouses import DBT, needs_dbt
from tests.sdk import ROOT


def imports_of(notebook):
    """The imports in the cells of a notebook, as code."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    trees = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return "\n".join(map(ast.unparse, nodes))


IMPORTS = {
    "requirements.txt": "import toolz, orjson, backoff",  # production has requests and the SDK
    "backfill/requirements.txt": "import backfill",
    "dbt/requirements.txt": "import queries.__main__, dbt.adapters.duckdb, dbt.adapters.postgres",
    "frames/requirements.txt": "import frames",
    "requirements-demo.txt": "import report.__main__, simulator.demo, connector",
    "notebooks/requirements.txt": "\n".join(
        ["import ipykernel, jupyterlab, nbclient", *map(imports_of, sorted((ROOT / "notebooks").glob("*.ipynb")))]
    ),
}


def named(file):
    """The requirements of a file, those of the files that it names included."""
    for line in file.read_text().splitlines():
        if line.startswith("-r "):
            yield from named(file.parent / line.removeprefix("-r "))
        elif line := line.partition("#")[0].strip():
            yield Requirement(line)


def needed(requirements):
    """The installed packages that pip would install for requirements, with all that they require."""
    found, waiting = {}, [(each, {""}) for each in requirements]
    while waiting:
        each, extras = waiting.pop()
        if each.marker and not any(each.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        if (key := (each.name, *sorted(each.extras))) not in found:
            package = found[key] = distribution(each.name)
            extras = {"", *each.extras}
            waiting += [(Requirement(text), extras) for text in package.requires or ()]
    return found.values()


def link(packages, folder):
    """Makes a folder of packages that holds these and no other."""
    for file in {file for package in packages for file in package.files or ()}:
        if ".." not in file.parts and file.suffix != ".pyc":
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).symlink_to(file.locate())


def run(python, *arguments):
    command = [*map(str, (python, *arguments))]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


ALONE = "import sys; sys.dont_write_bytecode = True; sys.path[:0] = sys.argv[1:]\n"


@pytest.mark.long
@pytest.mark.parametrize("file", [file for file in IMPORTS if file != "dbt/requirements.txt"])
def test_a_requirements_file_is_sufficient(file, tmp_path):
    link(needed(named(ROOT / file)), tmp_path)
    done = run(sys.executable, "-I", "-S", "-c", ALONE + IMPORTS[file], ROOT, tmp_path)
    assert done.returncode == 0, done.stderr


@needs_dbt
@pytest.mark.long
def test_that_of_dbt_which_alone_made_its_environment_is_sufficient():
    done = run(DBT.with_name("python"), "-c", IMPORTS["dbt/requirements.txt"])
    assert done.returncode == 0, done.stderr


def test_the_pins_of_one_package_agree():
    pins = {}
    for file in [*ROOT.glob("requirements*.txt"), *ROOT.glob("*/requirements.txt")]:
        for line in file.read_text().splitlines():
            name, _, version = line.partition("==")
            if version and ";" not in version:
                pins.setdefault(name, set()).add(version)
    assert not {name: versions for name, versions in pins.items() if len(versions) > 1}
