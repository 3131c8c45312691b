"""The notebooks run from the first cell to the last, and show what they claim."""
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from simulator import Simulator, generated
from tests.sdk import run
from tests.support import configuration

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"


def execute(name, folder, *claims):
    """Runs a notebook in a folder, with a last cell that asserts what it should show."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("\n".join(f"assert {claim}" for claim in claims)))
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()


@pytest.mark.parametrize("folder", [ROOT, NOTEBOOKS])
def test_stages(folder):
    execute(
        "stages", folder,
        "[row['section'] for row in table] == ['home', 'pricing', 'contact']",
        "saved == ['2026-05-21T01:36:09.000Z', '2026-05-21T01:36:30.000Z']",
    )  # fmt: skip


def test_explore(tmp_path):
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    with Simulator({"e_visited_page": generated(3_000)}) as hubspot:
        run(project, configuration(hubspot))
    execute(
        "explore", project / "notebooks",
        "len(days) == 120 and len(hours) > 100 and len(pages) == 9",
        "sizes == sorted(sizes) and sizes[0] >= 1",
        "reached[0] > reached[1] >= reached[2]",
        "weeks and all(0 <= share <= 1 or share != share for row in shares for share in row)",
    )  # fmt: skip


def test_tuning():
    execute(
        "tuning", NOTEBOOKS,
        "all(run['missing'] == 0 for run in by_interval)",
        "all(0 < run['rework'] <= interval + 12 * 100 + 10 for run, interval in zip(by_interval, intervals))",
        "by_page_size[0]['requests'] > by_page_size[-1]['requests']",
    )  # fmt: skip


def test_backfill_on_dask():
    execute(
        "backfill_on_dask", NOTEBOOKS,
        "(result['twice'], result['by both'], result['by neither']) == (0, 0, 0)",
        "result['read by the backfill'] == left.rows['e_visited_page'] > 0 < result['read by the connector']",
        "refused <= 0.01 * len(asked)",
    )  # fmt: skip
