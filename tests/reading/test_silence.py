"""Empty windows are read once more where the watermark will pass them."""

from collections import deque
from dataclasses import replace

import pytest

from pipeline.reading.silence import confirming, may_pass, unconfirmed
from pipeline.reading.task import Findings, Task
from pipeline.reading.window import Window
from tests.support import BASE

# A queue as letters: events, a silent window, a confirmed one, one that a walk confirms just now,
# an unknown one, an error.
KINDS = {
    "e": Task(Window(0, 0), whole=True, findings=Findings(event_count=1)),
    "s": Task(Window(0, 0), whole=True),
    "c": Task(Window(0, 0), whole=True, confirms=True),
    "w": Task(Window(0, 0), confirms=True),
    "u": Task(Window(0, 0)),
    "x": Task(Window(0, 0), error=ValueError()),
    "p": Task(
        Window(0, 0), error=ValueError(), pending_pages=deque([None])
    ),  # it releases what was read of its parent
}


def queue_of(kinds, has_end=False):
    tasks = [
        replace(KINDS[kind], window=Window(BASE + n, BASE + n + 1)) for n, kind in enumerate(kinds)
    ]
    if not has_end:
        tasks[-1].window = tasks[-1].window._replace(end=None)
    return tasks


@pytest.mark.parametrize(
    "queue, to_confirm",
    [("e", ""), ("u", ""), ("se", "s"), ("usse", "ss"), ("sssu", ""), ("es", ""), ("ses", "s"), ("sue", ""), ("suse", "s"),
     ("ce", ""), ("we", ""), ("scwe", "s"), ("csse", "ss"), ("sx", ""), ("sp", "s"), ("sesse", "ss"), ("ss", "")],
)  # fmt: skip
def test_what_is_silent_is_read_once_more_if_events_follow(queue, to_confirm):
    tasks = queue_of(queue)
    run = unconfirmed(tasks)
    assert ("" if run is None else queue[run]) == to_confirm
    if run is not None:
        assert confirming(tasks[run]).window == Window(
            tasks[run.start].window.start, tasks[run.stop - 1].window.end
        )
        tasks[run] = [confirming(tasks[run])]
        assert unconfirmed(tasks[run.start :]) is None, "it is read a third time"


@pytest.mark.parametrize(
    "queue, to_confirm",
    [("s", "s"), ("ess", "ss"), ("us", "s"), ("su", ""), ("sc", "s"), ("c", "")],
)
def test_what_is_silent_up_to_the_end_of_the_range_is_read_once_more(queue, to_confirm):
    run = unconfirmed(queue_of(queue, has_end=True))
    assert ("" if run is None else queue[run]) == to_confirm


@pytest.mark.parametrize(
    "queue, expected",
    [
        ("s", True),
        ("ss", True),
        ("su", False),
        ("c", True),
        ("cu", True),
        ("sx", True),
        ("sp", False),
    ],
)
def test_silence_is_passed_once_confirmed_or_if_nothing_follows(queue, expected):
    assert may_pass(queue_of(queue)) == expected
