"""The JSON of an event, assembled from a pool of serialized properties."""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import orjson

from simulator import actions, visits
from simulator.instants import iso
from simulator.values import mix

Properties = Callable[[int], dict[str, str]]
PROFILES = ("live", "short")
POOL = 499
# ms until HubSpot has processed an event: at least, and a range (749 and 933 were seen)
PROCESSING = (600, 500)
OWN: dict[str, Properties] = {
    "e_visited_page": visits.live,
    "e_submitted_form": actions.submitted_form,
    "e_form_submission_v2": actions.form_submission,
    "e_form_submission_metadata_v2": actions.form_metadata,
    "e_ad_interaction": actions.ad_interaction,
    "e_ad_metrics_imported_v0": actions.ad_metrics,
    "e_mta_delivered_email_v2": actions.email,
    "e_mta_bounced_email_v2": actions.bounced_email,
    "e_opened_email_v2": actions.opened_email,
    "e_clicked_link_in_email_v2": actions.clicked_email,
    "e_document_shared_v2": actions.document,
    "e_document_viewed_v2": actions.document,
    "e_deal_closed": actions.closed_deal,
    "e_attended_marketing_event": actions.marketing_event,
    "e_cancelled_marketing_event": actions.marketing_event,
}


class Bodies(NamedTuple):
    """How events of a type become JSON."""

    # %-format of an event up to its properties: objectId, occurredAt, a UUID in four parts,
    # milliseconds
    head: bytes
    pool: list[tuple[bytes, bytes]]  # the end of a UUID, and the %-format of the rest of an event

    def body(self, number: int, person: int, ms: int) -> bytes:
        """The JSON of the event with this random number, of this person at this time."""
        uuid_end, end = self.pool[number % POOL]
        head = self.head % (person, iso(ms), number >> 32, number >> 16 & 0xFFFF, number & 0xFFFF, uuid_end, ms)
        processed = ms + PROCESSING[0] + number % PROCESSING[1]
        return head + end % {b"person": person, b"occurred": ms, b"processed": processed}


def bodies(event_type: str, profile: str = "live") -> Bodies:
    """The bodies of an event type: in the profile "live" with properties by its name, in "short"
    with 15 of a page visit.
    """
    object_type = "DEAL" if event_type == "e_deal_closed" and profile == "live" else "CONTACT"
    return Bodies(_head(event_type, object_type), _pool(_properties(event_type, profile)))


def _properties(event_type: str, profile: str) -> Properties:
    """What makes the properties of an event type's events; a type that is not known here has those
    of a custom event.
    """
    if profile == "short":
        return visits.short
    if re.match(r"ae\d+_", event_type):
        return actions.app_event
    return OWN.get(event_type, actions.custom_event)


def _head(event_type: str, object_type: str) -> bytes:
    name = orjson.dumps(event_type).replace(b"%", b"%%")
    return (
        b'{"objectType":"' + object_type.encode() + b'","objectId":"%d","eventType":' + name + b',"occurredAt":"%b",'
        b'"id":"leviathan-%08x-%04x-%04x-%b-%d","properties":'
    )


@cache
def _pool(properties: Properties) -> list[tuple[bytes, bytes]]:
    """The pool that the events of all types with these properties share."""
    return [(_uuid_end(mix(number)), _serialized(properties(number)) + b"}") for number in range(POOL)]


def _serialized(properties: dict[str, str]) -> bytes:
    """Properties as a %-format. No value but a field of the format holds "%(", since a
    percent-encoded byte is hexadecimal.
    """
    return orjson.dumps(properties).replace(b"%", b"%%").replace(b"%%(", b"%(")


def _uuid_end(number: int) -> bytes:
    """The last two groups of a UUID."""
    return b"%04x-%012x" % (number >> 48, number & 0xFFFFFFFFFFFF)
