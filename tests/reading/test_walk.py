"""A walk through the pages of a window: it always ends, and it is whole only at a confirmed end."""

import threading
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadAnswer, Forbidden, Refused, Stopped, Unauthorized, Unavailable
from pipeline.reading import walk as walk_module
from pipeline.reading.ends import Inconclusive, another_size
from pipeline.reading.walk import MAX_STALE, walk
from pipeline.reading.window import PageRequest, Window
from pipeline.timestamps import SECOND
from tests.reading.pages import ODDITIES, ORDERS, FakeHubSpot, at, event, ids, page_of
from tests.support import BASE

HOUR = Window(BASE, BASE + 3_600_000)
STOP = threading.Event()
CURSOR_REFUSED = Refused("The cursor has expired.")


def page(letters, cursor=None, **doubts):
    """A page of events named by letters: a occurred in the window's first second, b in the next."""
    return page_of(
        [event(BASE + (ord(letter) - ord("a")) * SECOND, letter) for letter in letters],
        cursor,
        **doubts,
    )


class Answers:
    """A fetch with a list of answers for each cursor (None: the first page), of which the last is
    repeated. Errors are raised.
    """

    def __init__(self, *first, **others):
        self.answers = {None: list(first)} | {
            cursor: list(answers) for cursor, answers in others.items()
        }
        self.requests = []

    def __call__(self, request, stop):
        self.requests.append(request)
        assert len(self.requests) < 1000, "this walk does not end"
        answers = self.answers[request.cursor]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def cursors(self):
        return [request.cursor for request in self.requests]


def letters(parts):
    return "".join(event["id"][-1] for part in parts for event in part.events)


def walked(answers, earlier=None, limit=None):
    return list(walk(answers, HOUR, STOP, earlier, limit))


def inconclusive(answers, earlier=None, limit=None):
    """The pages of an inconclusive walk, and the error."""
    parts = []
    with pytest.raises(Inconclusive) as raised:
        for part in walk(answers, HOUR, STOP, earlier, limit):
            parts.append(part)
    return parts, raised.value


# Pages and requests


def test_a_walk_follows_the_cursors_to_the_page_without_a_next():
    answers = Answers(page("ab", "x"), x=[page("cd", "y")], y=[page("e")])
    parts = walked(answers)
    assert letters(parts) == "abcde" and [part.more for part in parts] == [True, True, False]
    assert answers.cursors == [None, "x", "y"]


def test_a_page_is_requested_only_when_it_is_wanted():
    answers = Answers(page("ab", "x"), x=[page("c")])
    parts = walk(answers, HOUR, STOP)
    assert answers.requests == []
    next(parts)
    assert answers.cursors == [None]


def test_every_request_has_the_bounds_of_the_window_and_the_configured_page_size():
    answers = Answers(page("ab", "x"), x=[page("c")])
    walked(answers)
    assert answers.requests == [PageRequest(HOUR.bounds()), PageRequest(HOUR.bounds(), "x")]


def test_every_request_gets_the_event_that_stops_the_sync():
    stop, stops = threading.Event(), []

    def fetch(request, stop):
        stops.append(stop)
        return page("a")

    list(walk(fetch, HOUR, stop))
    assert stops == [stop]


@pytest.mark.parametrize("error", [Stopped, Unauthorized, Unavailable, BadAnswer])
def test_an_error_is_raised_after_the_pages_before_it(error):
    answers, parts = Answers(page("ab", "x"), x=[error("no further")]), []
    with pytest.raises(error, match="no further"):
        for part in walk(answers, HOUR, STOP):
            parts.append(part)
    assert letters(parts) == "ab" and answers.cursors == [None, "x"]


# Refusals


def test_a_refused_first_page_is_not_requested_again():
    answers = Answers(Refused("no scope"))
    with pytest.raises(Refused, match="no scope"):
        walked(answers)
    assert answers.cursors == [None]


def test_a_refused_cursor_is_tried_once_more():
    answers = Answers(page("ab", "x"), x=[CURSOR_REFUSED, page("c")])
    assert letters(walked(answers)) == "abc" and answers.cursors == [None, "x", "x"]


def test_a_cursor_refused_twice_makes_a_walk_inconclusive_and_the_error_quotes_hubspot():
    answers = Answers(page("ab", "x"), x=[page("c", "y")], y=[CURSOR_REFUSED])
    parts, error = inconclusive(answers)
    assert letters(parts) == "abc" and answers.cursors == [None, "x", "y", "y"]
    assert (error.event_count, error.ended, error.cause) == (3, False, CURSOR_REFUSED)


def test_a_page_that_is_forbidden_twice_is_refused_whatever_its_cursor():
    answers, parts = Answers(page("ab", "x"), x=[Forbidden("no scope")]), []
    with pytest.raises(Forbidden, match="no scope"):
        for part in walk(answers, HOUR, STOP):
            parts.append(part)
    assert letters(parts) == "ab" and answers.cursors == [None, "x", "x"]


def test_a_refusal_of_a_repeated_request_makes_a_walk_inconclusive_too():
    _, error = inconclusive(Answers(page("ab", "x"), x=[page(""), CURSOR_REFUSED]))
    assert error.cause is CURSOR_REFUSED


# Ends


def test_an_empty_first_page_is_an_end():
    answers = Answers(page(""))
    (part,) = walked(answers)
    assert letters([part]) == "" and answers.cursors == [None] and not part.new and not part.more


def test_a_full_page_without_a_next_is_requested_again():
    assert letters(walked(Answers(page("ab", full=True)))) == "ab"
    answers = Answers(
        page("ab", "x", full=True),
        x=[page("cd", full=True), page("cd", "y", full=True)],
        y=[page("e")],
    )
    assert letters(walked(answers)) == "abcde" and answers.cursors == [None, "x", "x", "y"]


def test_an_end_on_which_two_answers_do_not_agree_is_unclear():
    for second in page("a"), page(""), page("cd", full=True), page("a", "x"):
        parts, error = inconclusive(Answers(page("ab", full=True), second))
        assert letters(parts) == "ab" and error.ended


def test_a_full_page_without_a_next_after_a_doubtful_one_is_requested_again_too():
    for first in page("", "x"), page("a", unclear=True):
        answers = Answers(first, page("ab", full=True), page("ab", "x", full=True), x=[page("c")])
        assert letters(walked(answers)) == "abc" and answers.cursors == [None] * 3 + ["x"]
        answers = Answers(first, page("ab", full=True))
        assert letters(walked(answers)) == "ab" and answers.cursors == [None] * 3


@pytest.mark.parametrize("end", ["ab", "a", "A"])
def test_a_last_page_with_nothing_new_or_nothing_in_range_is_unclear(end):
    """Its cursor cannot have led to it. A is an event out of the range asked for."""
    strange = page_of([event(HOUR.start - 10 * SECOND, "A")]) if end == "A" else page(end)
    _, error = inconclusive(Answers(page("ab", "x"), x=[strange]))
    assert error.ended
    parts = walked(Answers(page("ab", "x"), x=[page("bc")]))
    assert letters(parts) == "abbc", "something is new"


def test_so_is_one_as_large_as_the_largest_so_far():
    """HubSpot may grant fewer events a page than were asked for."""
    answers = Answers(page("ab", "x"), x=[page("cd"), page("cd", "y")], y=[page("e")])
    assert letters(walked(answers)) == "abcde" and answers.cursors == [None, "x", "x", "y"]
    answers = Answers(page("ab"), page("ab", "x"), x=[page("c")])
    assert letters(walk(answers, HOUR, STOP, largest=2)) == "abc" and answers.cursors == [
        None,
        None,
        "x",
    ]
    answers = Answers(page("ab"))
    assert letters(walk(answers, HOUR, STOP, largest=3)) == "ab" and answers.cursors == [None]


def test_an_empty_first_page_with_a_next_is_requested_again_and_then_passed():
    answers = Answers(page("", "x"), x=[page("a")])
    assert letters(walked(answers)) == "a" and answers.cursors == [None, None, "x"]


def test_an_empty_page_at_a_cursor_is_requested_once_more():
    answers = Answers(page("ab", "x"), x=[page(""), page("c", "y")], y=[page("d")])
    assert letters(walked(answers)) == "abcd" and answers.cursors == [None, "x", "x", "y"]


def test_an_empty_page_at_a_cursor_with_a_next_is_requested_once_more_and_then_passed():
    answers = Answers(page("ab", "x"), x=[page("", "y")], y=[page("c")])
    assert letters(walked(answers)) == "abc" and answers.cursors == [None, "x", "x", "y"]


def test_an_empty_page_at_a_cursor_is_not_an_end():
    parts, error = inconclusive(Answers(page("ab", "x"), x=[page("")]))
    assert letters(parts) == "ab" and all(part.more for part in parts)
    assert (error.event_count, error.ended) == (2, True)


def test_unreadable_paging_is_requested_once_more():
    answers = Answers(
        page("ab", unclear=True), page("ab", "x"), x=[page("c", unclear=True), page("c")]
    )
    assert letters(walked(answers)) == "abc" and answers.cursors == [None, None, "x", "x"]


def test_paging_that_stays_unreadable_is_not_an_end():
    parts, error = inconclusive(Answers(page("ab", "x"), x=[page("c", unclear=True)]))
    assert letters(parts) == "abc" and (error.event_count, error.ended) == (3, True)


UNCLEAR_ENDS = {
    "empty": {"x": [page("de", "y")], "y": [page("")]},
    "unclear": {"x": [page("de", unclear=True)]},
}


@pytest.mark.parametrize("end", UNCLEAR_ENDS)
@pytest.mark.parametrize(
    "counted, ended, believed",
    [(4, True, True), (3, True, False), (5, True, False), (0, True, False), (4, False, False)],
)
def test_an_unclear_end_is_believed_if_an_earlier_walk_ended_after_as_many_events(
    end, counted, ended, believed
):
    answers, earlier = (
        Answers(page("bc", "x"), **UNCLEAR_ENDS[end]),
        Inconclusive("earlier", counted, ended),
    )
    if believed:
        parts = walked(answers, earlier, limit=3)
        assert letters(parts) == "bcde" and not parts[-1].more
    else:
        parts, error = inconclusive(answers, earlier, limit=3)
        assert letters(parts) == "bcde" and (error.event_count, error.ended) == (4, True)


@pytest.mark.parametrize("ended", [True, False])
def test_a_clear_end_is_believed_unless_an_earlier_walk_counted_more(ended):
    assert letters(walked(Answers(page("ab")), Inconclusive("earlier", 1, ended))) == "ab"
    for answer, counted in (page("ab"), 3), (page(""), 1):
        _, error = inconclusive(Answers(answer), Inconclusive("earlier", counted, ended))
        assert error.ended and error.event_count == counted - 1


@pytest.mark.parametrize("end", UNCLEAR_ENDS)
def test_an_unclear_end_after_a_full_page_is_not_believed(end):
    """It may depend on the size of pages, as in the earlier walk."""
    parts, error = inconclusive(
        Answers(page("bc", "x"), **UNCLEAR_ENDS[end]),
        Inconclusive("earlier", 4, ended=True),
        limit=2,
    )
    assert letters(parts) == "bcde" and error.ended


def test_a_second_walk_requests_every_page_in_its_other_size():
    answers = Answers(page("ab", "x"), x=[page(""), page("c")])
    walked(answers, Inconclusive("earlier", 3, ended=True), limit=7)
    assert [request.limit for request in answers.requests] == [7] * 3


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_another_size_is_smaller_than_what_was_granted_if_there_is_one(limit, granted):
    size = another_size(limit, granted)
    assert 0 < size != min(limit, granted) and (granted <= 2 or size <= granted)


def test_an_event_that_is_twice_on_a_page_counts_once():
    parts, error = inconclusive(Answers(page("aab", "x"), x=[page("")]))
    assert error.event_count == 2
    assert parts[0].event_count == 2, "or more would seem to be granted a page than is"


def test_a_last_page_that_repeats_the_one_before_is_proved_by_pages_of_another_size():
    """Repeated events count once, or two walks would never agree."""
    _, error = inconclusive(
        Answers(page("abc", "x", full=True), x=[page("de", "y")], y=[page("de")])
    )
    answers = Answers(page("ab", "x"), x=[page("cd", "y")], y=[page("e", "z")], z=[page("e")])
    assert error.ended and letters(walked(answers, error, limit=2)) == "abcdee"


def test_a_refusal_at_a_cursor_that_is_not_in_hubspots_words_may_be_a_proxys():
    _, error = inconclusive(Answers(page("ab", "x"), x=[Forbidden("a proxy", explained=False)]))
    assert error.cause is not None and not error.ended


# Every walk ends


def test_a_cursor_that_names_itself_is_tried_once_more():
    answers = Answers(page("ab", "x"), x=[page("cd", "x"), page("cd", "y")], y=[page("e")])
    assert letters(walked(answers)) == "abcde" and answers.cursors == [None, "x", "x", "y"]


def test_a_cursor_that_names_itself_twice_makes_a_walk_inconclusive():
    answers = Answers(page("ab", "x"), x=[page("cd", "x")])
    parts, error = inconclusive(answers)
    assert letters(parts) == "abcd" and (error.event_count, error.ended) == (4, False)
    assert answers.cursors == [None, "x", "x"]


def circle(pages, size, fresh=False):
    """A fetch whose cursors lead from each page to the next, and from the last to the first."""
    numbers = count()

    def fetch(request, stop):
        number = next(numbers)
        fetch.requests += 1
        assert fetch.requests < 20 * pages + 100, "this walk does not end"
        here = number % pages
        events = [event(BASE + here * SECOND, n) for n in range(size)]
        return page_of(events, f"c{number if fresh else (here + 1) % pages}")

    fetch.requests = 0
    return fetch


@pytest.mark.parametrize("fresh", [False, True], ids=["the same cursors", "new cursors"])
@pytest.mark.parametrize("pages", [1, 2, 3, 7, 8, 9, 100])
def test_a_circle_of_pages_is_noticed_soon_after_it_closes(pages, fresh):
    fetch = circle(pages, 3, fresh)
    _, error = inconclusive(fetch)
    assert not error.ended and "the same pages again" in str(error)
    assert fetch.requests <= pages + MAX_STALE + 2


@pytest.mark.parametrize("pages", [20, 33, 64, 100])
def test_a_circle_of_more_events_than_are_remembered_is_noticed_by_its_cursors(pages, monkeypatch):
    monkeypatch.setattr(walk_module, "RECENT_IDS", 10)
    fetch = circle(pages, 5)
    _, error = inconclusive(fetch)
    assert not error.ended and fetch.requests <= 4 * pages


def test_the_memory_of_a_walk_is_bounded(monkeypatch):
    monkeypatch.setattr(walk_module, "RECENT_IDS", 10)
    seen = walk_module._Seen()
    for n in range(1000):
        assert seen.add({3 * n, 3 * n + 1, 3 * n + 2}) and not seen.visit(f"c{n}")
        assert len(seen._ids) + len(seen._older) <= 2 * (10 + 3)


@pytest.mark.parametrize("stale, ends_well", [(MAX_STALE // 2 - 1, True), (MAX_STALE // 2, False)])
def test_too_many_pages_without_a_new_event_make_a_walk_inconclusive(stale, ends_well):
    known = {f"c{n}": [page("ab", f"c{n + 1}")] for n in range(stale)}
    answers = Answers(page("ab", "c0"), **known, **{f"c{stale}": [page("c")]})
    if ends_well:
        assert letters(walked(answers))[-1] == "c"
    else:
        assert inconclusive(answers)[1].ended is False


def test_a_new_event_now_and_then_keeps_a_walk_going():
    pages = {
        f"c{n}": [page("ab" if n % 3 else chr(ord("c") + n // 3), f"c{n + 1}")] for n in range(60)
    }
    answers = Answers(page("ab", "c0"), **pages, c60=[page("z")])
    assert letters(walked(answers))[-1] == "z" and len(answers.requests) == 62


@pytest.mark.parametrize("pages, ends_well", [(1, True), (2, False)])
def test_consecutive_pages_out_of_range_make_a_walk_inconclusive(pages, ends_well):
    outside = {f"c{n}": [page_of([event(BASE - 9000, n)], f"c{n + 1}")] for n in range(pages)}
    answers = Answers(page("ab", "c0"), **outside, **{f"c{pages}": [page("c")]})
    if ends_well:
        assert letters(walked(answers)) == "abc"
    else:
        parts, error = inconclusive(answers)
        assert "time range" in str(error) and len(parts) == 3


def test_a_page_with_some_events_of_the_window_is_not_out_of_range():
    outside = [event(BASE - 9000, n) for n in range(3)]
    pages = {f"c{n}": [page_of([*outside, event(BASE + n, n)], f"c{n + 1}")] for n in range(10)}
    assert len(walked(Answers(page("ab", "c0"), **pages, c10=[page("c")]))) == 12


# Laws


TIMES = st.sampled_from((0, 3, 2_500, 90_000)).flatmap(
    lambda width: st.lists(st.integers(BASE, BASE + width), max_size=40)
)
NATURES = st.fixed_dictionaries(
    {"orders": st.lists(st.sampled_from(ORDERS), min_size=1, max_size=3).map(tuple), "size": st.integers(1, 12),
     "inclusive": st.tuples(st.booleans(), st.booleans()), "grain": st.sampled_from((1, 1000)), "turning": st.booleans()}
)  # fmt: skip
WINDOWS = st.builds(
    lambda start, width: Window(BASE + start, None if width is None else BASE + start + width),
    st.integers(-1000, 5000), st.none() | st.integers(0, 90_000),
)  # fmt: skip
ODD = st.dictionaries(
    st.tuples(st.integers(0, 6), st.integers(0, 1)), st.sampled_from(ODDITIES), max_size=5
)


@given(TIMES, NATURES, WINDOWS, ODD)
@settings(deadline=None, max_examples=400)
def test_a_walk_that_ends_has_read_its_whole_window(times, nature, window, odd):
    hubspot = FakeHubSpot(
        times, odd=lambda step: odd.get((step.page, step.time)), most=2 * len(times) + 60, **nature
    )
    inside = [
        each
        for each in hubspot.events
        if window.start <= at(each) and (window.end is None or at(each) < window.end)
    ]
    parts = []
    try:
        for part in walk(hubspot, window, STOP):
            parts.append(part)
    except Inconclusive as error:
        assert odd and error.event_count >= 0
    else:
        assert {event["id"] for part in parts for event in part.events} == set(ids(inside))
    found = [event["id"] for part in parts for event in part.events]
    assert set(found) <= set(ids(inside)) and not any(part.out_of_range for part in parts)


@given(TIMES, NATURES, WINDOWS)
@settings(deadline=None)
def test_an_undisturbed_walk_costs_one_request_per_page_and_one_more_if_the_last_is_full(
    times, nature, window
):
    hubspot = FakeHubSpot(times, **nature)
    parts = list(walk(hubspot, window, STOP))
    within = hubspot.within(*window.bounds())
    ends_full = bool(within) and len(within) % hubspot.size == 0
    assert (
        len(parts) == max(1, -(-len(within) // hubspot.size)) == len(hubspot.requests) - ends_full
    )
    found = [event["id"] for part in parts for event in part.events]
    assert len(found) == len(set(found)) and sum(part.event_count for part in parts) == len(within)


@given(TIMES, NATURES, st.integers(0, 6), st.sampled_from(["empty", "unclear"]))
@settings(deadline=None)
def test_an_unclear_end_after_the_same_page_of_two_walks_is_believed_only_if_it_is_true(
    times, nature, page, oddity
):
    hubspot = FakeHubSpot(times, odd=lambda step: oddity if step.page == page else None, **nature)
    window, earlier, limit = Window(BASE, None), None, None
    for _ in range(2):
        try:
            parts = list(walk(hubspot, window, STOP, earlier, limit))
        except Inconclusive as error:
            earlier, limit = error, another_size(hubspot.size, hubspot.size)
        else:
            assert {event["id"] for part in parts for event in part.events} == set(
                ids(hubspot.events)
            )
