"""Each requirements file is sufficient: with it alone in a new environment, the code that it is for
can be imported.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imports_of(notebook):
    """The imports in the cells of a notebook, as code."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    trees = [ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]
    nodes = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    return "\n".join(map(ast.unparse, nodes))


IMPORTS = {
    "requirements.txt": "import toolz, orjson, backoff",  # production has requests and the SDK
    "backfill/requirements.txt": "import backfill",
    "dbt/requirements.txt": "import queries.__main__, dbt.adapters.duckdb, dbt.adapters.postgres",
    "frames/requirements.txt": "import frames",
    "requirements-demo.txt": "import report.__main__, simulator.demo, connector",
    "notebooks/requirements.txt": "\n".join(
        [
            "import ipykernel, jupyterlab, nbclient",
            *map(imports_of, sorted((ROOT / "notebooks").glob("*.ipynb"))),
        ]
    ),
}


def run(*command):
    return subprocess.run(
        [*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=900
    )


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Skips where no registry answers."""
    folder = tmp_path_factory.mktemp("probe")
    tried = run(
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-cache-dir",
        "--dest",
        folder,
        "toolz",
    )
    if tried.returncode:
        pytest.skip(f"no package registry answers: {tried.stderr.strip().splitlines()[-1:]}")


@pytest.mark.long
@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("file", IMPORTS)
def test_a_requirements_file_is_sufficient(file, tmp_path):
    assert run(sys.executable, "-m", "venv", tmp_path / "venv").returncode == 0
    (python,) = [
        path
        for path in ((tmp_path / "venv").glob("*/python*"))
        if path.name in ("python", "python.exe")
    ]
    installed = run(python, "-m", "pip", "install", "--quiet", "--requirement", file)
    assert installed.returncode == 0, installed.stderr
    done = run(python, "-c", IMPORTS[file])
    assert done.returncode == 0, done.stderr


def test_the_pins_of_one_package_agree():
    pins = {}
    for file in [
        *ROOT.glob("requirements*.txt"),
        *ROOT.glob("*/requirements.txt"),
    ]:
        for line in file.read_text().splitlines():
            name, _, version = line.partition("==")
            if version and ";" not in version:
                pins.setdefault(name, set()).add(version)
    assert not {name: versions for name, versions in pins.items() if len(versions) > 1}
