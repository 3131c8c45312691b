"""HubSpot events for Fivetran: every event type a table, every event once, resumable at any moment.

For each event type: pages of the time range, unwrapped, flattened, lists serialized, deduplicated by id, upserted, and every
N records the last-occurred cursor is saved. The sentence itself is `deliver` in pipeline/sync.py.
"""
from typing import Any

from fivetran_connector_sdk import Connector
from fivetran_connector_sdk import Logging as log
from fivetran_connector_sdk import Operations as op

from pipeline import ConnectorError, Sink, read_settings, rejects, sync
from pipeline.settings import read_event_types, unknown_keys

# Only what must be forced: digits would become numbers. Declaring occurredAt too would cost a strptime an event.
COLUMNS = {"id": "STRING", "eventType": "STRING", "occurred": "STRING", "objectId": "STRING", "objectType": "STRING"}


def schema(configuration: dict[str, str]) -> list[dict[str, Any]]:
    """One table an event type, and one for events that cannot be rows. Mistakes are reported by update(), all at once."""
    tables = read_event_types(configuration)
    return [*({"table": table, "primary_key": ["id"], "columns": COLUMNS} for table in tables), rejects.SCHEMA]


def update(configuration: dict[str, str], state: dict[str, Any]) -> None:
    """Delivers every event since the saved state. Ends in op.error, with the cure, when it cannot go on."""
    for sentence in unknown_keys(configuration):
        log.warning(sentence)
    try:
        sync(read_settings(configuration), state, Sink(op.upsert, op.checkpoint, op.warning, log.info))
    except ConnectorError as error:
        op.error(str(error))


connector = Connector(update=update, schema=schema)
