"""JSON values with names that collide."""

from hypothesis import strategies as st

COLLIDING = [
    "id", "ID", "eventType", "event_type", "EventType", "occurredAt", "occurred", "objectId", "object_type", "a", "b", "a_b",
    "aB", "a.b", "", "_", "_fivetran_deleted", "_fivetran_synced", "properties", "properties_id", "1", "_1", "é", "e",
]  # fmt: skip
NAMES = st.sampled_from(COLLIDING) | st.text(max_size=4)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8)
