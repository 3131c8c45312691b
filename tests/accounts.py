"""Simulated accounts, from given events or generated ones."""

from pipeline.timestamps import to_text
from simulator import Behaviour, Simulator, generated, listed
from tests.support import BASE, TYPE

OTHER = "pe1_signup"


def event(n=0, event_type=TYPE, /, **properties):
    at = to_text(BASE + n * 1000)
    own = {"id": f"id-{n}", "eventType": event_type, "occurredAt": at, "objectId": "007", "objectType": "CONTACT"}
    return {**own, "properties": properties}


def served(*events, **behaviour):
    return Simulator({TYPE: listed(events)}, Behaviour(**behaviour))


def sized(sizes, **behaviour):
    """So many events of each type, by its name."""
    return Simulator({name: generated(size, event_type=name) for name, size in sizes.items()}, Behaviour(**behaviour))


def both(sizes=(60, 70)):
    return sized({TYPE: sizes[0], OTHER: sizes[1]})
