"""An event, and the row that the stages make of it."""

from hypothesis import settings

from pipeline.config.settings import read_settings
from pipeline.stages.flatten import flatten
from pipeline.stages.protect import protect, protection
from pipeline.stages.rename import rename_columns
from pipeline.stages.serialize import serialize_lists
from tests.support import START, TYPE

SALT = "pepper and salt"
law = settings(deadline=None, max_examples=100)


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
