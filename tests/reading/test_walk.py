"""A walk through the pages of a window: it always ends, and says whether its end is plain."""

import threading
from itertools import count, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadAnswer, Forbidden, Refused, Stopped, Unauthorized, Unavailable
from pipeline.reading import walk as walk_module
from pipeline.reading.walk import MAX_STALE, Walk
from pipeline.reading.whole import Inconclusive, another_size
from pipeline.reading.window import PageRequest, Window
from pipeline.timestamps import SECOND
from tests.reading.pages import ODDITIES, FakeHubSpot, at, event, ids, page_of
from tests.reading.readers import DISORDER, TIMES
from tests.support import BASE

HOUR = Window(BASE, BASE + 3_600_000)
STOP = threading.Event()
CURSOR_REFUSED = Refused("The cursor has expired.")


def page(letters, cursor=None, **doubts):
    """A page of events named by letters: a occurred in the window's first second, b in the next."""
    return page_of([event(BASE + (ord(letter) - ord("a")) * SECOND, letter) for letter in letters], cursor, **doubts)


class Answers:
    """A fetch with a list of answers for each cursor (None: the first page), of which the last is
    repeated. Errors are raised.
    """

    def __init__(self, *first, **others):
        self.answers = {None: list(first)} | {cursor: list(answers) for cursor, answers in others.items()}
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


def walk(answers, **options):
    return Walk(HOUR, **options).pages(answers, STOP)


def walked(answers, plain=True, **options):
    """The pages of a walk that comes to an end, plain or not."""
    parts = list(walk(answers, **options))
    assert [part.is_end for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].is_plain == plain and not any(part.is_plain for part in parts[:-1])
    return parts


def failed(answers, error):
    """The pages of a walk before this error, and the error."""
    parts = []
    with pytest.raises(error) as raised:
        for part in walk(answers):
            parts.append(part)
    return parts, raised.value


def inconclusive(answers):
    return failed(answers, Inconclusive)


# Pages and requests


def test_a_page_is_requested_only_when_it_is_wanted():
    answers = Answers(page("ab", "x"), x=[page("c")])
    parts = walk(answers)
    assert answers.requests == []
    next(parts)
    assert answers.cursors == [None]


@pytest.mark.parametrize("limit", [None, 7])
def test_every_request_has_the_bounds_of_the_window_its_page_size_and_what_stops_the_sync(limit):
    answers, stops = Answers(page("ab", "x"), x=[page(""), page("c")]), []

    def fetch(request, stop):
        stops.append(stop)
        return answers(request, stop)

    list(Walk(HOUR, limit).pages(fetch, STOP))
    assert answers.requests == [PageRequest(HOUR.bounds(), cursor, limit) for cursor in (None, "x", "x")]
    assert stops == [STOP] * 3


@pytest.mark.parametrize("error", [Stopped, Unauthorized, Unavailable, BadAnswer])
def test_an_error_is_raised_after_the_pages_before_it(error):
    answers = Answers(page("ab", "x"), x=[error("no further")])
    parts, raised = failed(answers, error)
    assert letters(parts) == "ab" and answers.cursors == [None, "x"] and str(raised) == "no further"


# Refusals


def test_a_refused_first_page_is_not_requested_again():
    answers = Answers(CURSOR_REFUSED)
    assert failed(answers, Refused) == ([], CURSOR_REFUSED) and answers.cursors == [None]


def test_a_refused_cursor_is_tried_once_more():
    answers = Answers(page("ab", "x"), x=[CURSOR_REFUSED, page("c")])
    assert letters(walked(answers)) == "abc" and answers.cursors == [None, "x", "x"]


def test_a_cursor_refused_twice_makes_a_walk_inconclusive_and_the_error_quotes_hubspot():
    answers = Answers(page("ab", "x"), x=[page("c", "y")], y=[CURSOR_REFUSED])
    parts, error = inconclusive(answers)
    assert letters(parts) == "abc" and answers.cursors == [None, "x", "y", "y"]
    assert error.cause is CURSOR_REFUSED


def test_a_page_that_is_forbidden_twice_is_refused_whatever_its_cursor():
    forbidden = Forbidden("no scope")
    answers = Answers(page("ab", "x"), x=[forbidden])
    parts, error = failed(answers, Forbidden)
    assert letters(parts) == "ab" and answers.cursors == [None, "x", "x"] and error is forbidden


@pytest.mark.parametrize("last", [[page(""), CURSOR_REFUSED], [Forbidden("a proxy", explained=False)]])
def test_a_refusal_of_a_repeated_request_or_not_in_hubspots_words_makes_a_walk_inconclusive_too(last):
    _, error = inconclusive(Answers(page("ab", "x"), x=last))
    assert error.cause is last[-1]


# Plain ends


OUTSIDER = page_of([event(HOUR.start - 10 * SECOND, "A")])
ENDS = {  # the last answers of a walk, and whether its end is plain
    "something new": ([page("bc")], True),
    "nothing new": ([page("ab")], False),
    "nothing in range": ([OUTSIDER], False),
    "empty, twice": ([page("")], False),
    "empty, then not": ([page(""), page("c")], True),
    "unreadable paging, twice": ([page("c", unclear=True)], False),
    "unreadable paging, then not": ([page("c", unclear=True), page("c")], True),
    "full": ([page("cd", full=True)], False),
    "as large as the largest": ([page("cde")], False),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_end_at_a_cursor_is_plain_if_its_cursor_can_have_led_to_it(end):
    answers, plain = ENDS[end]
    walked(Answers(page("abf", "x"), x=answers), plain)


@pytest.mark.parametrize("letters_, largest, full, plain", [
    ("", 0, False, True), ("", 3, False, True), ("ab", 0, False, True), ("ab", 3, False, True),
    ("ab", 2, False, False), ("ab", 0, True, False),
])  # fmt: skip
def test_a_first_page_is_a_plain_end_unless_it_is_full(letters_, largest, full, plain):
    """HubSpot may grant fewer events a page than were asked for."""
    answers = Answers(page(letters_, full=full))
    assert letters(walked(answers, plain, largest=largest)) == letters_
    assert answers.cursors == [None]


def known(letters_):
    return [each["id"] for each in page(letters_).events]


@pytest.mark.parametrize("before, plain", [("", True), ("b", True), ("abc", True), ("bd", False)])
def test_an_end_is_plain_only_if_the_walk_brought_what_was_read_of_the_window_before(before, plain):
    walked(Answers(page("ab", "x"), x=[page("c")]), plain, known=known(before))
    walked(Answers(page("")), not before, known=known(before))


def test_an_empty_page_in_the_middle_may_hide_events():
    answers = Answers(page("ab", "x"), x=[page("", "y")], y=[page("c")])
    assert letters(walked(answers, plain=False)) == "abc"
    assert answers.cursors == [None, "x", "x", "y"], "it is asked for once more"
    walked(Answers(page("ab", "x"), x=[page("", "y"), page("c", "y")], y=[page("d")]))
    walked(Answers(page("", "x"), page("ab", "x"), x=[page("c")]))


@given(st.integers(1, 9) | st.integers(1, 10_000), st.integers(1, 9) | st.integers(1, 10_000))
def test_another_size_is_smaller_than_what_was_granted_if_there_is_one(limit, granted):
    size = another_size(limit, granted)
    assert 0 < size != min(limit, granted) and (granted <= 2 or size <= granted)


# What two walks are compared by


def held(parts):
    return sum(part.held.events for part in parts), sum(part.held.total for part in parts) % 2**64


def test_two_walks_hold_the_same_if_they_read_the_same_events_however_often_and_on_which_pages():
    once = walked(Answers(page("abc", "x"), x=[page("de")]))
    repeated = Answers(page("eab", "x"), x=[page("bbc", "y")], y=[page("cd")])
    assert held(once) == held(walked(repeated)) and held(once)[0] == 5
    gap = Answers(page("abc", "x"), x=[page("", "y")], y=[page("de")])
    assert held(walked(gap, plain=False)) == held(once)
    assert held(walked(Answers(page("abcd")))) != held(once)
    assert held(walked(Answers(page("abcdf")))) != held(once)


def test_what_is_not_settled_and_what_is_anothers_is_not_compared():
    for more in ("c", "cd"):
        parts = walked(Answers(page(f"ab{more}")), settled=lambda: BASE + 2 * SECOND)
        assert held(parts) == held(walked(Answers(page("ab"))))
    others = page_of([event(HOUR.start - 1, "x"), *page("ab").events, event(HOUR.end, "y")])
    assert held(walked(Answers(others))) == held(walked(Answers(page("ab"))))


def test_an_event_that_is_twice_on_a_page_counts_once():
    parts = walked(Answers(page("aab", "x"), x=[page("c")]))
    assert len(parts[0].places) == 2, "or more would seem to be granted a page than is"


# Every walk ends


def test_a_cursor_that_names_itself_makes_a_walk_inconclusive():
    answers = Answers(page("ab", "x"), x=[page("c", "y")], y=[page("d", "z")], z=[page("e", "z")])
    parts, error = inconclusive(answers)
    assert letters(parts) == "abcde" and answers.cursors == [None, "x", "y", "z"]


def circle(pages, size, fresh=False, tail=0):
    """A fetch whose cursors lead, after a tail, from each page to the next, and from the last to the first."""
    numbers = count()

    def fetch(request, stop):
        number = next(numbers)
        fetch.requests += 1
        assert fetch.requests < 20 * pages + 100, "this walk does not end"
        here = number if number < tail else tail + (number - tail) % pages
        following = here + 1 if here + 1 < tail + pages else tail
        events = [event(BASE + here * SECOND, n) for n in range(size)]
        return page_of(events, f"c{number if fresh else following}")

    fetch.requests = 0
    return fetch


@pytest.mark.parametrize("fresh", [False, True], ids=["the same cursors", "new cursors"])
@pytest.mark.parametrize("pages", [1, 2, 3, 7, 8, 9, 100])
def test_a_circle_of_pages_is_noticed_soon_after_it_closes(pages, fresh):
    fetch = circle(pages, 3, fresh)
    _, error = inconclusive(fetch)
    assert "the same pages again" in str(error)
    assert fetch.requests <= pages + MAX_STALE + 2


@pytest.mark.parametrize("tail", [0, 1, 2, 5, 8, 20])
@pytest.mark.parametrize("pages", [20, 33, 64, 100])
def test_a_circle_of_more_events_than_are_remembered_is_noticed_by_its_cursors(pages, tail, monkeypatch):
    """After a tail, the first cursor does not come back."""
    monkeypatch.setattr(walk_module, "RECENT_IDS", 10)
    fetch = circle(pages, 5, tail=tail)
    inconclusive(fetch)
    assert fetch.requests <= 4 * (pages + tail)


def test_the_memory_of_a_walk_is_bounded(monkeypatch):
    monkeypatch.setattr(walk_module, "RECENT_IDS", 10)
    endless = (page_of([event(BASE + 3 * n + i) for i in range(3)], f"c{n}") for n in count())
    walking = Walk(HOUR)
    for part in islice(walking.pages(lambda request, stop: next(endless), STOP), 1000):
        assert part.is_new and len(walking.seen()) <= 2 * (10 + 3)


@pytest.mark.parametrize("stale, ends_well", [(MAX_STALE // 2 - 1, True), (MAX_STALE // 2, False)])
def test_too_many_pages_without_a_new_event_make_a_walk_inconclusive(stale, ends_well):
    known = {f"c{n}": [page("ab", f"c{n + 1}")] for n in range(stale)}
    answers = Answers(page("ab", "c0"), **known, **{f"c{stale}": [page("c")]})
    if ends_well:
        assert letters(walked(answers))[-1] == "c"
    else:
        inconclusive(answers)


def test_a_new_event_now_and_then_keeps_a_walk_going():
    pages = {f"c{n}": [page("ab" if n % 3 else chr(ord("c") + n // 3), f"c{n + 1}")] for n in range(60)}
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


NATURES = st.builds(dict.__or__, DISORDER, st.fixed_dictionaries({"size": st.integers(1, 12)}))
WINDOWS = st.builds(
    lambda start, width: Window(BASE + start, None if width is None else BASE + start + width),
    st.integers(-1000, 5000), st.none() | st.integers(0, 90_000),
)  # fmt: skip
ODD = st.dictionaries(st.tuples(st.integers(0, 6), st.integers(0, 1)), st.sampled_from(ODDITIES), max_size=5)


@given(TIMES, NATURES, WINDOWS, ODD)
@settings(max_examples=150)
def test_a_walk_with_a_plain_end_has_read_its_whole_window(times, nature, window, odd):
    hubspot = FakeHubSpot(times, odd=lambda step: odd.get((step.page, step.time)), most=2 * len(times) + 60, **nature)
    inside, parts = [each for each in hubspot.events if window.contains(at(each))], []
    try:
        for part in Walk(window).pages(hubspot, STOP):
            parts.append(part)
    except Inconclusive:
        assert odd
    found = {event["id"] for part in parts for event in part.events}
    assert found <= set(ids(inside)) and not any(part.outside for part in parts)
    assert found == set(ids(inside)) or not (parts and parts[-1].is_plain)


@given(TIMES, NATURES, WINDOWS)
def test_an_undisturbed_walk_costs_one_request_per_page_and_its_end_is_plain_unless_full(times, nature, window):
    hubspot = FakeHubSpot(times, **nature)
    parts = list(Walk(window).pages(hubspot, STOP))
    within = hubspot.within(*window.bounds())
    assert len(parts) == max(1, -(-len(within) // hubspot.size)) == len(hubspot.requests)
    assert parts[-1].is_plain == (not within or len(within) % hubspot.size > 0)
    found = [event["id"] for part in parts for event in part.events]
    assert len(found) == len(set(found)) and sum(len(part.places) for part in parts) == len(within)
