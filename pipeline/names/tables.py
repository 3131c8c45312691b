"""Names of tables."""

import hashlib
import re

from pipeline.names.destination import destination_name

EVENT_TABLE, EVENT_PROPERTY = "event", "event_property"
REJECTED_EVENT, SYNC_RUN, AUDITED_RANGE = "rejected_event", "sync_run", "audited_range"
OWN_TABLES = (EVENT_TABLE, EVENT_PROPERTY, REJECTED_EVENT, SYNC_RUN, AUDITED_RANGE)
MAX_TABLE_NAME = 100  # characters, without the suffix


def table_name(event_type: str) -> str:
    """The table of an event type, which is also the folder of its backfill: its own name, if that
    is made of lower-case words, as HubSpot's are. To any other name, and to that of a table of the
    connector, a hash of six letters is added, since the destination might make one name of two.

    The result depends on the event type alone.

    >>> table_name("pe1_form_v2"), table_name("E_A_B"), table_name("e_a__b"), table_name("../sync_run"), table_name("sync_run")
    ('pe1_form_v2', 'e_a_b_zmjyor', 'e_a_b_tavkuv', 'sync_run_ovlxhr', 'sync_run_ogfpyf')
    """
    name = destination_name(event_type)
    in_words = re.fullmatch(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", event_type)
    if in_words and len(event_type) <= MAX_TABLE_NAME and name not in OWN_TABLES:
        return event_type
    digest = hashlib.sha256(event_type.encode(errors="replace")).digest()
    # digits would be split off by the destination
    suffix = "".join(chr(ord("a") + byte % 26) for byte in digest[:6])
    return f"{name[:MAX_TABLE_NAME].strip('_') or 'unnamed'}_{suffix}"
