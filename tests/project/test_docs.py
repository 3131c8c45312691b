"""What the documentation says to do is done, word by word."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import connector
from pipeline import rows as rows_module
from pipeline.__main__ import main
from pipeline.audits.text import decode
from pipeline.config.keys import API_VERSIONS, KEYS
from pipeline.connection import deliver
from pipeline.connection.state import FIELDS, migrate, progress_by_type
from pipeline.connection.state import KEYS as STATE_KEYS
from pipeline.hubspot.properties import OWN
from pipeline.names.destination import destination_name
from pipeline.names.tables import table_name
from pipeline.stages import own
from pipeline.stages.flatten import flatten
from pipeline.tables import rejected_event, sync_run
from pipeline.tables.schema import EVENT_PROPERTY_SCHEMA
from simulator import Behaviour, Simulator, generated, listed, submissions
from simulator.definitions import defined
from simulator.visits import live
from tests.sdk import ROOT
from tests.support import START, TYPE, Delivered, configuration, event, sync_into

README = (ROOT / "README.md").read_text("utf-8")


def page(name):
    """The text of a page in docs/."""
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


# docs/extending.md: a stage of one's own

URL = "https://127.0.0.1/pricing?plan=1"
EVENTS = [
    event("2026-01-01T00:00:01Z", 1, hs_url=URL),
    event("2026-01-01T00:00:02Z", 2, hs_url=URL, page_path="a property"),
    event("2026-01-01T00:00:03Z", 3, hs_url="http://[", page_path="a property alone"),
    event("2026-01-01T00:00:04Z", 4) | {"properties": None},
]


def run(folder, *arguments):
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def blocks(monkeypatch):
    """The code of the section, a file of stages, and their use in a notebook; the first is in the place of
    pipeline/stages/own.py.
    """
    stages, notebook = re.findall(r"```python\n(.*?)```", page("extending"), re.DOTALL)
    names = {}
    exec(stages, names)  # noqa: S102 (our own documentation)
    assert deliver.OWN is rows_module.OWN is own.OWN
    monkeypatch.setattr(own, "add_page_path", names["add_page_path"], raising=False)
    for module in (deliver, rows_module):
        monkeypatch.setattr(module, "OWN", names["OWN"])
    return stages, notebook


def test_the_documented_stage_passes_its_doctest_and_runs_in_a_notebook(blocks, tmp_path):
    (tmp_path / "own.py").write_text(blocks[0])
    run(tmp_path, "-m", "doctest", "own.py")
    *lines, last = blocks[1].strip().splitlines()
    names = {}
    exec("\n".join(lines), names)  # noqa: S102 (our own documentation)
    assert [row["page_path"] for row in eval(last, names)] == ["/pricing"]  # noqa: S307


@pytest.mark.parametrize("layout", ["per_event_type", "single"])
def test_the_column_is_dropped_hashed_and_renamed_like_any_other_and_displaces_none(blocks, layout):
    hash_of_path = hashlib.sha256(b"salt/pricing").hexdigest()
    with Simulator({TYPE: listed(EVENTS)}) as sim:

        def synced(**keys):
            return sync_into(Delivered(), sim, table_layout=layout, **keys).rows[table]

        table = TYPE if layout == "per_event_type" else "event"
        found = synced()
        whole = dict(found["id-1"])
        assert whole.pop("page_path") == "/pricing"
        assert synced(drop_columns="page_path")["id-1"] == whole
        assert synced(hash_columns="page_*", hash_salt="salt")["id-1"] == whole | {"page_path": hash_of_path}
        assert synced(rename_columns="page_path=path")["id-1"] == whole | {"path": "/pricing"}
        assert [row.get("page_path") for row in rows_module.events(configuration(sim), TYPE)][:2] == ["/pricing"] * 2
    beside = "a property alone" if layout == "per_event_type" else None
    assert [found[sent["id"]].get("page_path") for sent in EVENTS] == ["/pricing", "/pricing", beside, None]
    if layout == "single":
        assert [found[sent["id"]]["properties"] for sent in EVENTS] == [sent["properties"] for sent in EVENTS]
    else:
        assert found["id-2"]["properties_page_path"] == "a property"


# README.md and docs/moving.md


def section(title):
    """What stands in README under a heading."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_lines_for_a_notebook_read_the_account(tmp_path):
    for name in ("pipeline", "frames"):
        (tmp_path / name).symlink_to(ROOT / name)
    (block,) = re.findall(r"```python\n(.*?)```", section("In a notebook"), re.DOTALL)
    with Simulator({TYPE: generated(300)}) as sim:
        written = tmp_path / "build" / "try" / "configuration.json"
        written.parent.mkdir(parents=True)
        written.write_text(json.dumps(configuration(sim)))
        read = run(tmp_path, "-c", f"{block}print(rows, table.num_rows, len(pages))")
    assert read.split() == ["300"] * 3
    with duckdb.connect(str(tmp_path / "events.db")) as database:
        assert database.sql("SELECT count(*) FROM visits").fetchall() == [(300,)]


def test_the_account_is_listed_as_shown(tmp_path, monkeypatch, capsys):
    visits = generated(30_000, "2026-01-01T00:00:00Z", "2026-05-01T00:00:00Z")
    forms, refused = "e_form_submission_v2", "e_opened_email_v2"
    account = {TYPE: visits, forms: submissions(visits, 33), "pe123_signup": listed([]), refused: listed([])}
    monkeypatch.chdir(tmp_path)
    behaviour = Behaviour(
        forbidden={refused: ["business-intelligence"]}, definitions=[defined("pe123_signup", "Signed up")]
    )
    with Simulator(account, behaviour) as sim:
        Path("configuration.json").write_text(json.dumps(configuration(sim)))
        assert main(["event-types"]) == 0
    *_, shown = re.findall(r"^```\n(.*?)^```", section("Your account"), re.DOTALL | re.MULTILINE)
    assert re.fullmatch(re.escape(shown).replace("…", ".*"), capsys.readouterr().out)


def rows_of_keys():
    """The table of docs/configuration.md: default and range, as written, of each key in turn."""
    for row in re.findall(r"^\| (`.*)$", page("configuration"), re.MULTILINE):
        keys, default, allowed, _ = (cell.strip() for cell in row.removesuffix("|").split("|"))
        for name in re.findall(r"`(\w+)`", keys):
            yield name, default.strip("` "), allowed


def test_the_table_of_keys_has_each_with_its_default_the_form_first_in_its_order():
    rows = [name for name, _, _ in rows_of_keys()]
    form = [field.name for field in connector.configuration_form().to_response().fields]
    assert rows[: len(form)] == form and len(form) == 12 and sorted(rows) == sorted(KEYS)
    said = {"required": "", "all": ""}
    assert not [name for name, default, _ in rows_of_keys() if said.get(default, default) != KEYS[name].default]


def test_the_ranges_in_the_table_of_keys_are_those_of_the_parsers():
    found = {name: re.match(r"(?:above )?(\d+).*? to (\d+)", allowed) for name, _, allowed in rows_of_keys()}
    ranges = {name: tuple(map(int, limits.groups())) for name, limits in found.items() if limits}
    assert len(ranges) == 7
    for name, (low, high) in ranges.items():
        KEYS[name].parse(str(high))
        KEYS[name].parse("0.1" if name == "max_outage_minutes" else str(low))
        for beyond in (low - 1, high + 1):
            with pytest.raises(ValueError):
                KEYS[name].parse(str(beyond))


def test_the_documentation_says_until_when_each_api_version_is_supported():
    rows = re.findall(r"^\| `(\S+)`(.*?) \|.*?\| (\w+ 20\d\d) \|", page("access"), re.MULTILINE)
    assert [version for version, _, _ in rows] == list(API_VERSIONS)
    assert [version for version, remark, _ in rows if "the default" in remark] == [KEYS["api_version"].default]


def test_the_documented_steps_restore_what_the_published_example_lost():
    history = generated(400)
    half = history.event(200)["occurredAt"]
    events = [history.event(n) for n in range(400)]
    for n in range(1, 400, 2):
        events[n]["properties"]["id"] = f"property {n % 7}"
    as_the_example = [{**sent, **sent["properties"]} for sent in events[:200]]  # properties overwrite own fields
    delivered = Delivered(rows={TYPE: {row["id"]: row for row in as_the_example}})
    assert len(delivered.ids()) < 200
    with Simulator({TYPE: listed(events)}) as sim:
        sync_into(delivered, sim, {"start_date": half}, initial_sync_start_date=half)
        sync_into(delivered, sim)
    (delete,) = re.findall(r"DELETE FROM (\w+) WHERE (\w+) IS NULL", page("moving"))
    assert delete == (TYPE, "occurred")
    kept = {key for key, row in delivered.rows[TYPE].items() if row.get("occurred") is not None}
    assert kept == {sent["id"] for sent in events}


# docs/tables.md and the diagram in README.md

TABLES = page("tables")


def test_tables_have_the_documented_names():
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \|$", TABLES.partition("## Columns of events")[0], re.MULTILINE)
    assert len(rows) == 6
    assert {name: destination_name(table_name(name)) for name, _ in rows} == dict(rows)


def test_the_list_of_properties_has_those_of_a_live_page_visit():
    known = {each.name for each in OWN[TYPE].properties}
    assert (
        set(live(0)) < known and f"of a page visit {len(known)}, of which {len(live(0))} were in live answers" in TABLES
    )


def test_what_the_dictionary_knows_is_described_in_its_words_in_the_dbt_package():
    words = {each.name: each.description for name in (TYPE, "e_form_submission_v2") for each in OWN[name].properties}
    columns = (ROOT / "dbt" / "models" / "columns.md").read_text("utf-8")
    blocks = dict(re.findall(r"{% docs (hs_\w+) %}(.*?){% enddocs %}", columns))
    assert len(blocks) > 20 and blocks == {name: words[name] for name in blocks}


def test_the_diagram_shows_columns_that_exist():
    (diagram,) = re.findall(r"```mermaid\nerDiagram\n(.*?)```", README, re.DOTALL)
    entities = re.findall(r"(\w+) \{\n(.*?)\n    \}", diagram, re.DOTALL)
    drawn = {name: re.findall(r"^ +\w+ (\w+)", body, re.MULTILINE) for name, body in entities}
    assert set(drawn) == {TYPE, "pe_123_signup", "event_property", "rejected_event", "sync_run"}
    assert set(drawn["event_property"]) <= set(EVENT_PROPERTY_SCHEMA["columns"])
    assert drawn["rejected_event"] == list(rejected_event.SCHEMA["columns"])
    assert set(drawn["sync_run"]) <= set(sync_run.SCHEMA["columns"])
    (row,) = flatten([{**event(START), "properties": {"hs_url": "/"}}])
    assert set(drawn[TYPE]) == {*map(destination_name, row)}


def test_the_documented_state_is_one_and_each_of_its_fields_is_described():
    text = page("state")
    (block,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    shown = json.loads(block)
    current, changes = migrate(shown)
    progress = progress_by_type(current)[TYPE]
    assert not changes and progress.occurred == shown["event_types"][TYPE]["occurred"]
    assert decode(progress.ledger)
    assert not [name for name in (*STATE_KEYS, *FIELDS) if f"`{name}`" not in text]


# every page


PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
LINKING = [
    *PAGES,
    *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "CHANGELOG", "SECURITY")),
    *(ROOT / folder / "README.md" for folder in ("dbt", "queries")),
]


def test_the_documentation_stays_short_and_the_account_comes_first():
    words = {file: len(file.read_text("utf-8").split()) for file in PAGES}
    assert words.pop(ROOT / "README.md") <= 1_600
    assert sum(words.values()) <= 11_000
    assert README.partition("\n## A HubSpot to try")[0].count("\n") < 90


def anchors(file):
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.replace("`", "")).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", LINKING, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere_and_every_file_of_code_that_is_named_exists(file):
    text = file.read_text("utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        goal = file.parent / target if target else file
        assert goal.exists(), target
        assert not anchor or anchor in anchors(goal), f"{target}#{anchor}"
    for code in re.findall(r"`((?:\w+/)+\w+\.py)`", text):
        assert any((parent / code).exists() for parent in (ROOT, ROOT / "pipeline")), code


def test_readme_leads_to_every_page():
    assert not [file.name for file in PAGES[1:] if f"](docs/{file.name})" not in README]


def test_the_table_is_shown_and_the_report_written_as_documented(tmp_path):
    """The report is of the demo's warehouse where there is no other."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    (shown,) = re.findall(r'python -c "(.*?e_visited_page.*?)"', README)
    for files in (tmp_path / "build" / "demo" / "files", tmp_path / "files"):
        files.mkdir(parents=True)
        with duckdb.connect(str(files / "warehouse.db")) as warehouse:
            warehouse.execute("CREATE SCHEMA tester")
            warehouse.execute("CREATE TABLE tester.e_visited_page AS SELECT 'a' AS id, now() AS occurred_at")
        command = [sys.executable, "-m", "report"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0 and (files / "report.html").exists(), done.stderr
    assert "occurred_at" in run(tmp_path, "-c", shown)


def test_nothing_that_the_documentation_has_written_here_is_offered_to_commit(tmp_path):
    shutil.copy(ROOT / ".gitignore", tmp_path)
    git = shutil.which("git") or "git"
    subprocess.run([git, "init", "--quiet"], cwd=tmp_path, check=True)
    written = [
        "configuration.json", "options.toml", "events.db", "events.db.wal", "state.json", "state.json.new",
        "history/e_visited_page/2026-01.parquet", "files/warehouse.db", "files/state.json", "build/demo/debug.log",
    ]  # fmt: skip
    command = [git, "check-ignore", *written]
    ignored = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ignored.stdout.split() == written
