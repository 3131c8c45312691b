"""Windows that are empty, as HubSpot says. It is believed if it says so twice: the watermark passes
over them for good.
"""

from collections.abc import Sequence

from pipeline.reading.task import Task
from pipeline.reading.window import Window


def unconfirmed(queue: Sequence[Task]) -> slice | None:
    """The last run of empty windows in a queue that are to be read once more: events follow them,
    or the end of the range, so the watermark will pass. None if there is none.
    """
    end, is_followed = None, queue[-1].window.end is not None
    for position, task in reversed(list(enumerate(queue))):
        if is_followed and task.is_empty() and not task.confirms:
            end = end or position + 1
        elif end:
            return slice(position + 1, end)
        else:
            is_followed = has_events(task) or (is_followed and task.is_empty())
    return slice(0, end) if end else None


def confirming(run: Sequence[Task]) -> Task:
    """One task that reads a run of windows once more."""
    return Task(Window(run[0].window.start, run[-1].window.end), run[-1].density, confirms=True)


def may_pass(queue: Sequence[Task]) -> bool:
    """Whether the first window of a queue, which is empty, needs no confirmation any more, or none
    at all: nothing follows it, or only an error.
    """
    follower = next((task for task in queue if not task.is_empty()), None)
    return (
        queue[0].confirms
        or follower is None
        or (follower.error is not None and not has_events(follower))
    )


def has_events(task: Task) -> bool:
    """Whether events are known of a window; one that failed may release those of the window that it
    was cut from.
    """
    return task.findings.event_count > 0 or (task.error is not None and bool(task.pending_pages))
