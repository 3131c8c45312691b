"""What depends on the names in an event alone is worked out once for each shape of event, and never
taken for another's.
"""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.names.shapes import by_shape

PATHS = st.lists(st.sampled_from(["a", "b", ("a", "b")]), unique=True, max_size=3)


@given(st.lists(st.tuples(PATHS, PATHS)))
def test_each_shape_gets_its_own_plan_which_is_made_once(shapes):
    made = []

    def plan_for(own, properties):
        made.append((own, properties))
        return own, properties

    plan = by_shape(plan_for)
    wanted = [(tuple(own), tuple(properties)) for own, properties in shapes]
    assert [plan(dict.fromkeys(own), dict.fromkeys(properties)) for own, properties in shapes] == wanted
    assert made == list(dict.fromkeys(wanted))
