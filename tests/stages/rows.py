"""An event, and the row that the stages make of it; JSON values with names that collide."""

from hypothesis import settings
from hypothesis import strategies as st

from pipeline.config.settings import read_settings
from pipeline.stages.flatten import flatten
from pipeline.stages.protect import protect, protection
from pipeline.stages.rename import rename_columns
from pipeline.stages.serialize import serialize_lists
from tests.support import START, TYPE

SALT = "pepper and salt"
law = settings(deadline=None, max_examples=100)

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


def event(**properties):
    own = {"id": "id-1", "eventType": TYPE, "occurredAt": START, "objectId": "7", "objectType": "CONTACT"}
    return {**own, "properties": properties}


def row_of(event, drop=(), hashed=(), renames=()):
    protected = protect(protection(tuple(drop), tuple(hashed), SALT))([event])
    return next(rename_columns(renames)(serialize_lists(flatten(protected))))


def read(**keys):
    return read_settings({"api_token": "pat-na1-x", "initial_sync_start_date": START, "hash_salt": SALT, **keys})


def ignore(*_):
    return None
