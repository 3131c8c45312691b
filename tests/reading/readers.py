"""A Reader of a HubSpot in memory, the events it is given, and the law of its watermark."""

from hypothesis import strategies as st

from pipeline import Reader
from pipeline.timestamps import DAY
from tests.reading.pages import ORDERS, at, ids
from tests.support import BASE

YEAR = 366 * DAY

TIMES = st.sampled_from((0, 3, 2_500, 90_000, 10**8)).flatmap(
    lambda width: st.lists(st.integers(BASE, BASE + width), max_size=60)
)
DISORDER = st.fixed_dictionaries(
    {"orders": st.lists(st.sampled_from(ORDERS), min_size=1, max_size=4).map(tuple),
     "inclusive": st.tuples(st.booleans(), st.booleans()), "grain": st.sampled_from((1, 1000))},
    optional={"turning": st.just(True)},
)  # fmt: skip


def reader_of(fetch, concurrency=1, now=BASE + YEAR, **options):
    return Reader(fetch, lambda: now, concurrency, **options)


def read(reader, span=(BASE, None)):
    with reader:
        return [event for page in reader.pages(span) for event in page["results"]]


class Watermark:
    """Checks a reader's position after each row: a resume would start there."""

    def __init__(self, reader, span, everything):
        self.reader, self.start, self.reached = reader, span[0], 0
        self.missing = sorted(((at(event), event["id"]) for event in everything if at(event) >= span[0]), reverse=True)
        self.delivered = set()

    def check(self, delivered=()):
        self.delivered.update(delivered)
        while self.missing and self.missing[-1][1] in self.delivered:
            self.missing.pop()
        position = self.reader.position
        assert position >= self.reached, "it moved back"
        assert not self.missing or position <= self.missing[-1][0], "it passed an event that is not delivered"
        assert position <= max(self.reader.now(), self.start), "it is in the future"
        self.reached = position


def read_checked(reader, span, everything):
    """All events that a reader yields; the watermark is checked after each, and at the end even if that is an error."""
    found, watermark = [], Watermark(reader, span, everything)
    with reader:
        try:
            for page in reader.pages(span):
                for event in page["results"]:
                    found.append(event)
                    watermark.check([event["id"]])
        finally:
            watermark.check()
    return found


def first_seen(events):
    """Their ids without repetitions, each where it came first."""
    return list(dict.fromkeys(ids(events)))


def times_of(history):
    return [history.time(i) for i in range(len(history))]
