"""A client that pages correctly through a simulator of 250 page visits."""

from urllib.parse import unquote

from simulator import Behaviour, Simulator, generated

TYPE = "e_visited_page"
V3, DATED = "/events/v3/events", "/events/event-occurrences/2026-03"
START, END = "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"


def served(history=None, **behaviour):
    return Simulator({TYPE: small() if history is None else history}, Behaviour(**behaviour))


def small(events=250, **options):
    return generated(events, START, END, **options)


def get(session, sim, path=V3, timeout=5, **query):
    return session.get(sim.url + path, params={"eventType": TYPE, **query}, timeout=timeout, allow_redirects=False)


def pages(session, sim, **query):
    """All pages, the cursor decoded once as a correct client does."""
    after = {}
    while True:
        page = get(session, sim, **query, **after).json()
        yield page
        if "paging" not in page:
            return
        after = {"after": cursor_of(page)}


def walk(session, sim, **query):
    return [event for page in pages(session, sim, **query) for event in page["results"]]


def truth(history):
    return [history.event(i) for i in range(len(history))]


def ids(events):
    return [event["id"] for event in events]


def cursor_of(page):
    """The cursor that a page names, decoded."""
    return unquote(page["paging"]["next"]["after"])
