"""The walk through the pages of a window: it ends only where an end can be believed, and it always ends."""
import threading
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.client import Page
from pipeline.errors import BadAnswer, Refused, Stopped, Unauthorized, Unavailable
from pipeline.moments import SECOND, to_ms
from pipeline.reading import window as module
from pipeline.reading.window import Astray, Question, Window, walk
from tests.pages import ORDERS, Memory, at, event, ids
from tests.support import START

BASE = to_ms(START)
HOUR = Window(BASE, BASE + 3_600_000)
STOP = threading.Event()
CURSOR_REFUSED = Refused("The cursor has expired.")


def page(letters, after=None, unclear=False):
    """A page of events that are named by letters: a at the window's first second, b at the next."""
    return Page([event(BASE + (ord(letter) - ord("a")) * SECOND, letter) for letter in letters], after, 100, unclear)


class Answers:
    """The answers to each cursor in turn (None: the first page), the last one ever after; what is an error is raised."""

    def __init__(self, *first, **others):
        self.answers = {None: list(first)} | {cursor: list(answers) for cursor, answers in others.items()}
        self.asked = []

    def __call__(self, question, stop):
        self.asked.append(question)
        assert len(self.asked) < 1000, "this walk does not end"
        answers = self.answers[question.after]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def cursors(self):
        return [question.after for question in self.asked]


def letters(parts):
    return "".join(event["id"][-1] for part in parts for event in part.events)


def walked(answers, before=None, window=HOUR, limit=None):
    return list(walk(answers, window, STOP, before, limit))


def astray(answers, before=None, window=HOUR, limit=None):
    """What a walk brings before it goes astray, and the error."""
    parts = []
    with pytest.raises(Astray) as raised:
        for part in walk(answers, window, STOP, before, limit):
            parts.append(part)
    return parts, raised.value


# Pages to an end


def test_it_follows_the_cursors_to_the_page_that_names_none():
    answers = Answers(page("ab", "x"), x=[page("cd", "y")], y=[page("e")])
    parts = walked(answers)
    assert letters(parts) == "abcde" and [part.more for part in parts] == [True, True, False]
    assert answers.cursors == [None, "x", "y"]


def test_each_page_is_asked_for_only_when_it_is_wanted():
    answers = Answers(page("ab", "x"), x=[page("c")])
    parts = walk(answers, HOUR, STOP)
    assert answers.asked == []
    next(parts)
    assert answers.cursors == [None]


def test_all_questions_of_a_walk_have_the_bounds_of_its_window_and_the_page_size_that_is_configured():
    answers = Answers(page("ab", "x"), x=[page("c")])
    walked(answers)
    assert answers.asked == [Question(HOUR.bounds()), Question(HOUR.bounds(), "x")]


def test_what_stops_the_sync_is_handed_to_each_request():
    stop, given_stops = threading.Event(), []

    def fetch(question, stop):
        given_stops.append(stop)
        return page("a")

    list(walk(fetch, HOUR, stop))
    assert given_stops == [stop]


@pytest.mark.parametrize("error", [Stopped, Unauthorized, Unavailable, BadAnswer])
def test_an_error_of_a_request_is_raised_behind_the_pages_before_it(error):
    answers, parts = Answers(page("ab", "x"), x=[error("no further")]), []
    with pytest.raises(error, match="no further"):
        for part in walk(answers, HOUR, STOP):
            parts.append(part)
    assert letters(parts) == "ab" and answers.cursors == [None, "x"]


# What a page holds of its window


@pytest.mark.parametrize("start, end, bounds", [(0, 1000, (-1, 1000)), (999, 1001, (-1, 2000)), (1000, 1001, (999, 2000)),
                                                (2500, 2500, (1999, 3000)), (1, None, (-1, None))])  # fmt: skip
def test_a_window_asks_for_whole_seconds_and_a_millisecond_more(start, end, bounds):
    assert Window(start, end).bounds() == bounds


MOMENTS = [-5000, -1001, -1000, -1, 0, 1, 499, 500, 999, 1000, 1499, 1500, 1999, 2000, 2001, 3000, 3001, 9000]


@pytest.mark.parametrize("end", [1500, None])
def test_a_page_keeps_the_half_open_window_and_sets_aside_what_was_not_asked_for(end):
    window = Window(BASE + 500, None if end is None else BASE + end)
    (part,) = walked(Answers(Page([event(BASE + ms) for ms in MOMENTS], None, 100)), window=window)
    assert [at(event) - BASE for event in part.events] == [ms for ms in MOMENTS if ms >= 500 and (end is None or ms < end)]
    assert [at(event) - BASE for event in part.strays] == [-5000, *([] if end is None else [3001, 9000])]


BROKEN = ["no object", 7, None, [], {}, {"id": "x"}, {"occurredAt": START}, {"id": {}, "occurredAt": START},
          {"id": "x", "occurredAt": "soon"}, {"id": "x", "occurredAt": None}, {"id": "x", "occurredAt": 7}]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_what_is_no_event_is_kept_where_it_stands(broken):
    answer = Page([event(BASE - 9000), event(BASE), broken, event(BASE + 1)], None, 100)
    (part,) = walked(Answers(answer))
    assert part.events == answer.results[1:] and part.strays == answer.results[:1]
    assert (part.first, part.last, part.full) == (BASE, BASE + 1, 4)


@pytest.mark.parametrize(
    "seconds, crowd, ascending", [((0, 1, 2), 1, True), ((0, 2, 2), 2, True), ((2, 2, 0), 2, False), ((1, 1, 1), 3, True)]
)
def test_a_page_tells_its_first_and_last_moment_its_crowd_and_whether_it_ascends(seconds, crowd, ascending):
    (part,) = walked(Answers(Page([event(BASE + second * SECOND, n) for n, second in enumerate(seconds)], None, 77)))
    assert (part.first, part.last) == (BASE + min(seconds) * SECOND, BASE + max(seconds) * SECOND)
    assert (part.crowd, part.ascending, part.full, part.size) == (crowd, ascending, 3, 77)
    assert part.middle == BASE + sorted(seconds)[1] * SECOND


def test_a_page_without_events_tells_no_moments():
    (part,) = walked(Answers(page("")))
    assert part == ([], [], None, None, None, 0, True, 0, 100, False, False)


# A request or a cursor refused


def test_a_first_page_that_is_refused_is_not_asked_for_again():
    answers = Answers(Refused("no scope"))
    with pytest.raises(Refused, match="no scope"):
        walked(answers)
    assert answers.cursors == [None]


def test_a_cursor_that_is_refused_is_asked_for_once_more():
    answers = Answers(page("ab", "x"), x=[CURSOR_REFUSED, page("c")])
    assert letters(walked(answers)) == "abc" and answers.cursors == [None, "x", "x"]


def test_a_cursor_that_stays_refused_leads_astray_and_tells_what_hubspot_said():
    answers = Answers(page("ab", "x"), x=[page("c", "y")], y=[CURSOR_REFUSED])
    parts, error = astray(answers)
    assert letters(parts) == "abc" and answers.cursors == [None, "x", "y", "y"]
    assert (error.events, error.ended, error.cause) == (3, False, CURSOR_REFUSED)


def test_a_refusal_of_an_answer_asked_for_again_leads_astray_too():
    _, error = astray(Answers(page("ab", "x"), x=[page(""), CURSOR_REFUSED]))
    assert error.cause is CURSOR_REFUSED


# Ends


def test_an_empty_first_page_is_an_end():
    answers = Answers(page(""))
    assert letters(walked(answers)) == "" and answers.cursors == [None]


def test_an_empty_first_page_that_names_a_next_is_asked_for_again_and_then_gone_past():
    answers = Answers(page("", "x"), x=[page("a")])
    assert letters(walked(answers)) == "a" and answers.cursors == [None, None, "x"]


def test_an_empty_page_at_a_cursor_is_asked_for_once_more():
    answers = Answers(page("ab", "x"), x=[page(""), page("c", "y")], y=[page("d")])
    assert letters(walked(answers)) == "abcd" and answers.cursors == [None, "x", "x", "y"]


def test_an_empty_page_at_a_cursor_that_names_a_next_is_asked_for_once_more_and_then_gone_past():
    answers = Answers(page("ab", "x"), x=[page("", "y")], y=[page("c")])
    assert letters(walked(answers)) == "abc" and answers.cursors == [None, "x", "x", "y"]


def test_an_empty_page_at_a_cursor_is_no_end():
    parts, error = astray(Answers(page("ab", "x"), x=[page("")]))
    assert letters(parts) == "ab" and all(part.more for part in parts)
    assert (error.events, error.ended) == (2, True)


def test_paging_that_cannot_be_read_is_asked_for_once_more():
    answers = Answers(page("ab", unclear=True), page("ab", "x"), x=[page("c", unclear=True), page("c")])
    assert letters(walked(answers)) == "abc" and answers.cursors == [None, None, "x", "x"]


def test_paging_that_stays_unreadable_is_no_end():
    parts, error = astray(Answers(page("ab", "x"), x=[page("c", unclear=True)]))
    assert letters(parts) == "abc" and (error.events, error.ended) == (3, True)


ENDS = {"empty": {"x": [page("de", "y")], "y": [page("")]}, "unclear": {"x": [page("de", unclear=True)]}}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "counted, ended, believed", [(4, True, True), (3, True, False), (5, True, False), (0, True, False), (4, False, False)]
)
def test_an_end_in_doubt_is_believed_if_a_walk_before_came_to_one_with_as_many_events(end, counted, ended, believed):
    answers, before = Answers(page("bc", "x"), **ENDS[end]), Astray("before", counted, ended)
    if believed:
        parts = walked(answers, before, limit=3)
        assert letters(parts) == "bcde" and not parts[-1].more
    else:
        parts, error = astray(answers, before, limit=3)
        assert letters(parts) == "bcde" and (error.events, error.ended) == (4, True)


def test_a_plain_end_needs_no_walk_before_that_counted_as_many():
    assert letters(walked(Answers(page("ab")), Astray("before", 9, ended=True))) == "ab"


@pytest.mark.parametrize("end", ENDS)
def test_an_end_in_doubt_behind_a_full_page_is_not_believed(end):
    """It may hang on the size of pages, as it did in the walk before."""
    parts, error = astray(Answers(page("bc", "x"), **ENDS[end]), Astray("before", 4, ended=True), limit=2)
    assert letters(parts) == "bcde" and error.ended


def test_a_second_walk_has_pages_of_another_size_all_along():
    answers = Answers(page("ab", "x"), x=[page(""), page("c")])
    walked(answers, Astray("before", 5, ended=True), limit=7)
    assert [question.limit for question in answers.asked] == [7] * 3


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_another_size_is_another_and_a_smaller_one_where_there_is_one(limit, known):
    size = module.another_size(limit, known)
    assert 0 < size != min(limit, known) and (known <= 2 or size <= known)


def test_an_event_twice_on_a_page_is_counted_once():
    _, error = astray(Answers(page("aab", "x"), x=[page("")]))
    assert error.events == 2


# It always ends


def test_a_cursor_that_names_itself_is_asked_for_once_more():
    answers = Answers(page("ab", "x"), x=[page("cd", "x"), page("cd", "y")], y=[page("e")])
    assert letters(walked(answers)) == "abcde" and answers.cursors == [None, "x", "x", "y"]


def test_a_cursor_that_goes_on_naming_itself_leads_astray():
    answers = Answers(page("ab", "x"), x=[page("cd", "x")])
    parts, error = astray(answers)
    assert letters(parts) == "abcd" and (error.events, error.ended) == (4, False)
    assert answers.cursors == [None, "x", "x"]


def loop(pages, size, fresh=False):
    """A fetch whose cursors lead from each of so many pages to the next, and from the last to the first."""
    numbers = count()

    def fetch(question, stop):
        number = next(numbers)
        fetch.asked += 1
        assert fetch.asked < 20 * pages + 100, "this walk does not end"
        here = number % pages
        events = [event(BASE + here * SECOND, n) for n in range(size)]
        return Page(events, f"c{number if fresh else (here + 1) % pages}", 100)

    fetch.asked = 0
    return fetch


@pytest.mark.parametrize("fresh", [False, True], ids=["the same cursors", "ever new cursors"])
@pytest.mark.parametrize("pages", [1, 2, 3, 7, 8, 9, 100])
def test_a_circle_of_pages_leads_astray_soon_after_it_closes(pages, fresh):
    fetch = loop(pages, 3, fresh)
    _, error = astray(fetch)
    assert not error.ended and "the same pages again" in str(error)
    assert fetch.asked <= pages + module.MOST_STALE + 2


@pytest.mark.parametrize("pages", [20, 33, 64, 100])
def test_a_circle_of_more_events_than_are_remembered_is_known_by_its_cursors(pages, monkeypatch):
    monkeypatch.setattr(module, "RECENT_IDS", 10)
    fetch = loop(pages, 5)
    _, error = astray(fetch)
    assert not error.ended and fetch.asked <= 4 * pages


def test_what_a_walk_remembers_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "RECENT_IDS", 10)
    known = module._Known()
    for n in range(1000):
        assert known.learns({3 * n, 3 * n + 1, 3 * n + 2}) and not known.leads_nowhere(f"c{n}")
        assert len(known._ids) + len(known._older) <= 2 * (10 + 3)


@pytest.mark.parametrize("stale, leads_on", [(module.MOST_STALE // 2 - 1, True), (module.MOST_STALE // 2, False)])
def test_so_many_pages_without_a_new_event_lead_astray(stale, leads_on):
    old = {f"c{n}": [page("ab", f"c{n + 1}")] for n in range(stale)}
    answers = Answers(page("ab", "c0"), **old, **{f"c{stale}": [page("c")]})
    if leads_on:
        assert letters(walked(answers))[-1] == "c"
    else:
        assert astray(answers)[1].ended is False


def test_a_new_event_now_and_then_is_enough_to_go_on():
    pages = {f"c{n}": [page("ab" if n % 3 else chr(ord("c") + n // 3), f"c{n + 1}")] for n in range(60)}
    answers = Answers(page("ab", "c0"), **pages, c60=[page("z")])
    assert letters(walked(answers))[-1] == "z" and len(answers.asked) == 62


@pytest.mark.parametrize("pages, astray_at_last", [(1, False), (2, True)])
def test_pages_in_a_row_from_outside_the_bounds_lead_astray(pages, astray_at_last):
    outside = {f"c{n}": [Page([event(BASE - 9000, n)], f"c{n + 1}", 100)] for n in range(pages)}
    answers = Answers(page("ab", "c0"), **outside, **{f"c{pages}": [page("c")]})
    if astray_at_last:
        parts, error = astray(answers)
        assert "time range" in str(error) and len(parts) == 3
    else:
        assert letters(walked(answers)) == "abc"


def test_a_page_with_events_of_the_window_beside_strays_is_no_page_from_outside():
    mixed = [event(BASE - 9000, n) for n in range(3)]
    pages = {f"c{n}": [Page([*mixed, event(BASE + n, n)], f"c{n + 1}", 100)] for n in range(10)}
    assert len(walked(Answers(page("ab", "c0"), **pages, c10=[page("c")]))) == 12


# Laws


KINDS = ("empty", "hollow", "refused", "repeat", "first", "unclear")
TIMES = st.sampled_from((0, 3, 2_500, 90_000)).flatmap(lambda width: st.lists(st.integers(BASE, BASE + width), max_size=40))
MEMORIES = st.fixed_dictionaries(
    {"orders": st.lists(st.sampled_from(ORDERS), min_size=1, max_size=3).map(tuple), "size": st.integers(1, 12),
     "inclusive": st.tuples(st.booleans(), st.booleans()), "grain": st.sampled_from((1, 1000)), "turning": st.booleans()}
)  # fmt: skip
WINDOWS = st.builds(
    lambda start, width: Window(BASE + start, None if width is None else BASE + start + width),
    st.integers(-1000, 5000), st.none() | st.integers(0, 90_000),
)  # fmt: skip
ODD = st.dictionaries(st.tuples(st.integers(0, 6), st.integers(0, 1)), st.sampled_from(KINDS), max_size=5)


@given(TIMES, MEMORIES, WINDOWS, ODD)
@settings(deadline=None, max_examples=400)
def test_a_walk_that_ends_has_brought_its_window_whole(times, nature, window, odd):
    memory = Memory(times, odd=lambda step: odd.get((step.page, step.time)), most=2 * len(times) + 60, **nature)
    inside = [each for each in memory.events if window.start <= at(each) and (window.end is None or at(each) < window.end)]
    parts = []
    try:
        for part in walk(memory, window, STOP):
            parts.append(part)
    except Astray as error:
        assert odd and error.events >= 0
    else:
        assert {event["id"] for part in parts for event in part.events} == set(ids(inside))
    found = [event["id"] for part in parts for event in part.events]
    assert set(found) <= set(ids(inside)) and not any(part.strays for part in parts)


@given(TIMES, MEMORIES, WINDOWS)
@settings(deadline=None)
def test_a_walk_that_nothing_happens_to_ends_with_each_event_once_and_a_request_a_page(times, nature, window):
    memory = Memory(times, **nature)
    parts = list(walk(memory, window, STOP))
    asked = memory.within(*window.bounds())
    assert len(memory.asked) == max(1, -(-len(asked) // memory.size)) == len(parts)
    found = [event["id"] for part in parts for event in part.events]
    assert len(found) == len(set(found)) and sum(part.full for part in parts) == len(asked)


@given(TIMES, MEMORIES, st.integers(0, 6), st.sampled_from(["empty", "unclear"]))
@settings(deadline=None)
def test_an_end_after_the_same_page_of_two_walks_is_believed_only_if_it_is_true(times, nature, page, kind):
    memory = Memory(times, odd=lambda step: kind if step.page == page else None, **nature)
    window, before, limit = Window(BASE, None), None, None
    for _ in range(2):
        try:
            parts = list(walk(memory, window, STOP, before, limit))
        except Astray as error:
            before, limit = error, module.another_size(memory.size, memory.size)
        else:
            assert {event["id"] for part in parts for event in part.events} == set(ids(memory.events))
