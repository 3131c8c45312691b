"""What the documentation says to do is done, word by word."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.settings import KEYS
from simulator import Simulator, generated, listed
from tests.support import Delivered, sync_into

TYPE = "e_visited_page"
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


def as_the_example(events):
    """The rows that the published example makes of events: properties beside the own fields, over those of the same name."""
    rows = ({**event, **event["properties"]} for event in events)
    return {row["id"]: row for row in rows}


def test_what_the_published_example_lost_is_there_after_the_steps_that_the_documentation_names():
    history = generated(400)
    half = history.event(200)["occurredAt"]
    events = [event | {"properties": event["properties"] | {"id": f"property {number % 7}"}} if number % 2 else event
              for number, event in enumerate(history.event(n) for n in range(400))]  # fmt: skip
    delivered = Delivered(rows={TYPE: as_the_example(events[:200])})
    assert len(delivered.ids()) < 200
    with Simulator({TYPE: listed(events)}) as sim:
        sync_into(delivered, sim, {"start_date": half}, initial_sync_start_date=half)
        sync_into(delivered, sim)
    (delete,) = re.findall(r"DELETE FROM (\w+) WHERE (\w+) IS NULL", (ROOT / "docs" / "moving.md").read_text(encoding="utf-8"))
    assert delete == (TYPE, "occurred")
    kept = {key for key, row in delivered.rows[TYPE].items() if row.get("occurred") is not None}
    assert kept == {event["id"] for event in events}
