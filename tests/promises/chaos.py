"""Syncs killed with SIGKILL at random, until they end by themselves: `make chaos` makes 1,000 kills, `--kills N` other
numbers.

Three processes: this one serves the simulator and compares the table with the truth; a nest, which has imported
everything, forks the syncs and kills them; and the sync under way. A sync delivers into files as Fivetran does (what
came after the last checkpoint is lost with it), or through the SDK's real core into a real DuckDB.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.timestamps import DAY, to_ms
from simulator import Behaviour, Simulator, generated
from tests.support import END, configuration

ROOT = Path(__file__).parents[2]
TYPE = "e_visited_page"
WINDOW_PAGES = 12  # of one window, at most


# In the nest: each line of standard input is a sync, each line of standard output how one ended


def nest():
    import tests.sdk  # noqa: F401 (once, before any fork)

    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)  # standard output is the nest's own
            status = 1
            try:
                (into_duckdb if job["real"] else into_files)(Path(job["folder"]), job["configuration"], job["step"])
                status = 0
            finally:
                os._exit(status)
        print(json.dumps(_wait_or_kill(child, job["seconds"])), flush=True)


def _wait_or_kill(child, seconds):
    """How the child ended: its exit status, or minus the signal."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def into_files(folder, keys, step):
    """A sync into the files of a folder: `asked` gets each id as it is upserted, `table` the rows,
    `states` every saved state. At the `step`th step of its checkpoints the process kills itself.
    """
    from pipeline import Sink, read_settings, sync

    state = folder / "state.json"
    saved = json.loads(state.read_text()) if state.exists() else {}
    waiting, left = [], [step]
    append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    asked, rows, states = (os.open(folder / name, append) for name in ("asked", "table", "states"))

    def next_step():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def upsert(table, row):
        if table in ("event_property", "sync_run"):  # any number of their rows is right
            return
        os.write(asked, f"{row['id']}\n".encode())
        waiting.append(json.dumps(row, sort_keys=True))

    def checkpoint(new):
        half = len(waiting) // 2
        for half_of_them in (waiting[:half], waiting[half:]):
            next_step()
            # a line that a kill cuts short does not count
            os.write(rows, "".join(f"\n{row}\n" for row in half_of_them).encode())
        waiting.clear()
        next_step()
        state.with_suffix(".new").write_text(json.dumps(new))
        next_step()
        os.replace(state.with_suffix(".new"), state)
        next_step()
        os.write(states, f"\n{json.dumps(new)}\n".encode())

    sync(read_settings(keys), saved, Sink(upsert, checkpoint, lambda _: None, lambda _: None))


def into_duckdb(folder, keys, _):
    from tests.sdk import make_home, run

    os.environ["HOME"] = str(make_home(folder))
    run(folder, keys)


# Outside the nest


class Nest:
    def __enter__(self):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.promises.chaos", "--nest"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=environment, cwd=ROOT,
        )  # fmt: skip
        return self

    def __exit__(self, *_):
        self._process.communicate()

    def sync(self, seconds=600.0, step=0, **job):
        """Minus the signal that ended the sync, 0 if it ended by itself, or 1 if it failed."""
        print(json.dumps({**job, "seconds": seconds, "step": step}), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


@dataclass
class Chaos:
    """One history, synced by processes that are killed, and what they have left."""

    nest: Nest
    sim: Simulator
    folder: Path
    dice: random.Random
    keys: dict = field(default_factory=dict)
    real: bool = False
    mean: float = 0.1  # seconds that a sync lives
    seen: set = field(default_factory=set)
    read: int = 0  # bytes of `asked` so far
    kills: int = 0
    # upserts of each sync that repeat one of an earlier sync
    rework: list = field(default_factory=list)

    def sync(self, **life):
        """Runs one sync for as long as it lives. Returns how it ended."""
        keys = configuration(self.sim, **self.keys)
        ended = self.nest.sync(folder=str(self.folder), configuration=keys, real=self.real, **life)
        self.kills += ended == -signal.SIGKILL
        self._look()
        return ended

    def until_it_ends(self, most_kills):
        """Kills at most that many syncs, until one ends by itself. Returns whether it succeeded."""
        ended, most_kills = -signal.SIGKILL, self.kills + most_kills
        while ended == -signal.SIGKILL:
            life = {"seconds": self.dice.expovariate(1 / self.mean)}
            if not self.real and self.dice.random() < 0.4:
                life = {"step": self.dice.randint(1, 30)}
            ended = self.sync(**(life if self.kills < most_kills else {}))
        return ended == 0

    def _look(self):
        asked = self.folder / "asked"
        if self.real or not asked.exists():
            return
        with asked.open("rb") as file:
            file.seek(self.read)
            ids = file.read().split()
            self.read = file.tell()
        self.rework.append(sum(key in self.seen for key in ids))
        self.seen.update(ids)

    def bound(self):
        """The most upserts that a kill during a backfill may repeat."""
        interval, workers, size = (int(self.keys[key]) for key in ("checkpoint_interval", "concurrency", "page_size"))
        return interval + workers * WINDOW_PAGES * size

    def cursors(self):
        """Every saved cursor (ms), in the order of saving."""
        with (self.folder / "states").open() as file:
            states = [json.loads(line) for line in file if is_whole(line)]
        saved = [state["event_types"].get(TYPE, {}) for state in states]
        return [to_ms(progress["occurred"]) for progress in saved if "occurred" in progress]

    def lost_and_doubled(self):
        """How many events the table lacks, and how many rows it has too many."""
        history = self.sim.histories[TYPE]
        truth = {history.event(i)["id"] for i in range(len(history))}
        rows = self._rows()
        return len(truth - set(rows)), len(rows) - len(truth & set(rows))

    def _rows(self):
        """The ids in the table, twice if two rows of one id differ."""
        if self.real:
            from tests.sdk import rows

            return [key for (key,) in rows(self.folder)]
        with (self.folder / "table").open() as file:
            return [json.loads(row)["id"] for row in set(file) if is_whole(row)]


def is_whole(line):
    """Whether a line of JSON was not cut short by a kill."""
    return line.startswith("{") and line.endswith("}\n")


# `make chaos`

BROKEN = ("lost", "doubled", "failed", "cursors moved back", "rework beyond its bound")
SHAPES = ("uniform", "rhythm", "bursty", "one_second", "one_ms", "sparse")


def one_round(nest, folder, number, kills):
    """A backfill, and some days later another sync with a look-back, with at most `kills` kills in
    all. Returns the counts: all but the first three are 0 if the promises are kept.
    """
    dice = random.Random(number)
    real, shape, size = number % 8 == 7, SHAPES[number % len(SHAPES)], dice.choice((20, 100, 500))
    orders = ("ascending", "ascending", "descending", "shuffled")
    order = "ascending" if shape.startswith("one") else dice.choice(orders)
    history = generated(2_000 if real else dice.choice((5_000, 20_000)), shape=shape)
    keys = {
        "page_size": str(size), "checkpoint_interval": str(dice.choice((1, 5, 20)) * size), "lookback_minutes": "4320",
        "concurrency": str(dice.choice((1, 2, 4))),
    }  # fmt: skip
    now = to_ms(END) - 10 * DAY
    with Simulator({TYPE: history}, Behaviour(clock=lambda: now, order=order, hide_future=True)) as sim:
        chaos = Chaos(nest, sim, folder, dice, keys, real, mean=1.0 if real else 0.12)
        good = chaos.until_it_ends(kills * 2 // 3)
        rework = max(chaos.rework, default=0) - (history.rank(now) - history.rank(now - 3 * DAY))
        now = to_ms(END) + DAY
        good = chaos.until_it_ends(kills - chaos.kills) and good
        lost, doubled = chaos.lost_and_doubled()
    cursors = [] if real else chaos.cursors()
    return Counter({
        "kills": chaos.kills, "rounds": 1, "into DuckDB": real, "lost": lost, "doubled": doubled, "failed": not good,
        "cursors moved back": cursors != sorted(cursors),
        # a second is one window, however full
        "rework beyond its bound": not shape.startswith("one") and rework > chaos.bound(),
    })  # fmt: skip


def many(kills, seconds):
    """That many kills, or as many as the time allows. Returns 0 if every promise is kept."""
    totals, began = Counter(), time.monotonic()
    with Nest() as nest:
        while totals["kills"] < kills and time.monotonic() - began < seconds:
            with tempfile.TemporaryDirectory() as folder:
                totals += one_round(nest, Path(folder), totals["rounds"], min(30, kills - totals["kills"]))
            print(described(totals, began), flush=True)
    print("Totals:", described(totals, began))
    return int(any(totals[promise] for promise in BROKEN))


def described(totals, began):
    names = ("kills", "rounds", "into DuckDB", *BROKEN)
    return ", ".join(f"{name} {totals[name]}" for name in names) + f" ({time.monotonic() - began:.0f} s)"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1800, help="no round begins after that")
    parser.add_argument("--nest", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.exit(nest() if options.nest else many(options.kills, options.seconds))
