"""A Reader of a HubSpot in memory, and the events it is given."""

from hypothesis import strategies as st

from pipeline import Reader
from pipeline.timestamps import DAY
from tests.reading.pages import ORDERS, ids
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


def first_seen(events):
    """Their ids without repetitions, each where it came first."""
    return list(dict.fromkeys(ids(events)))


def times_of(history):
    return [history.time(i) for i in range(len(history))]
