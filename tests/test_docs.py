"""What the documentation says to do is done, word by word."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.settings import KEYS
from simulator import Simulator, generated

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SYNC = """
from tests.support import Delivered, sync_into
from types import SimpleNamespace
import sys
for row in sync_into(Delivered(), SimpleNamespace(url=sys.argv[1])).rows["e_visited_page"].values():
    print(row["hs_url"], row["path"])
"""


def code(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def run(folder, *arguments):
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_a_stage_of_your_own_is_a_function_and_a_line(tmp_path):
    stage, its_import, line, notebook = code((ROOT / "docs" / "extending.md").read_text(encoding="utf-8"))
    for folder in ("pipeline", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pipeline" / "own.py").write_text(stage)
    deliver = tmp_path / "pipeline" / "deliver.py"
    before, own, after = line.splitlines()
    text = deliver.read_text(encoding="utf-8")
    assert "docs/extending.md" in text.partition(before)[2].partition(after)[0], "the place is marked"
    deliver.write_text(its_import + text.replace(before, f"{before}\n{own}"))
    run(tmp_path, "-m", "doctest", "pipeline/own.py")
    run(tmp_path, "-c", notebook)
    with Simulator({"e_visited_page": generated(50)}) as sim:
        lines = run(tmp_path, "-c", SYNC, sim.url).splitlines()
    assert len(lines) == 50
    for url, path in map(str.split, lines):
        assert url == f"https://127.0.0.1{path}"


def test_readme_names_each_key_with_its_default():
    for name, key in KEYS.items():
        row = next(row for row in README.splitlines() if row.startswith("| ") and f"`{name}`" in row.split("|")[1])
        assert len(key.default) > 30 or f"`{key.default}`" in row or not key.default
