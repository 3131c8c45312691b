"""The notebooks run from the first cell to the last, and show what they claim."""

import pytest

from simulator import Simulator, generated, submissions
from tests.sdk import ROOT, run
from tests.support import configuration

pytestmark = pytest.mark.long
NOTEBOOKS = ROOT / "notebooks"
VISITS, FORMS = "e_visited_page", "e_form_submission_v2"


def execute(name, folder, *claims):
    """Runs a notebook in a folder, with a last cell that asserts what it should show."""
    import nbformat  # takes seconds, which no other test should wait for
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("\n".join(f"assert {claim}" for claim in claims)))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()


@pytest.mark.parametrize("folder", [ROOT, NOTEBOOKS])
def test_stages(folder):
    execute(
        "stages", folder,
        "[row['section'] for row in table] == ['home', 'pricing', 'contact']",
        "saved == ['2026-05-21T01:36:09.000Z', '2026-05-21T01:36:30.000Z']",
        "[row['hs_url'] for row in read] == ['/', '/pricing', '/blog', '/contact']",
    )  # fmt: skip


@pytest.fixture(params=["simulated", "synced"])
def project(request, tmp_path):
    """A folder like the project's, without a warehouse, or with that of an account that was synced there; and its
    forms.
    """
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    for name in ("pipeline", "frames", "simulator", "queries"):
        (project / name).symlink_to(ROOT / name)
    if request.param == "synced":
        visits = generated(3_000)
        with Simulator({VISITS: visits, FORMS: submissions(visits, every=33)}) as hubspot:
            run(project, configuration(hubspot, event_types=f"{VISITS}, {FORMS}"))
    return project, {"simulated": 909, "synced": 90}[request.param]


def test_explore(project):
    folder, forms = project
    execute(
        "explore", folder / "notebooks",
        "len(days) == 120 and len(hours) > 100 and len(pages) == 9",
        "sizes == sorted(sizes) and sizes[0] >= 1",
        "reached[0] > reached[1] >= reached[2]",
        "weeks and all(0 <= share <= 1 or share != share for row in shares for share in row)",
        f"len(sources) == 6 and sum(first) == sum(last) == {forms}",
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
        "len(truth) == 16_000",
        "(result['twice'], result['by both'], result['by neither']) == (0, 0, 0)",
        "result['read by the backfill'] == left.rows['e_visited_page'] > 0 < result['read by the connector']",
        "refused <= 0.01 * len(asked)",
    )  # fmt: skip
