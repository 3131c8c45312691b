"""The setup tests: each takes a configuration, returns if all is well, and raises ConnectorError with the cure if not."""
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.client import Client
from pipeline.deliver import question
from pipeline.errors import Refused, SettingsError, Unauthorized
from pipeline.event_types import NONE_CHOSEN, choose, whats_nearest
from pipeline.moments import DAY, SECOND, local_now
from pipeline.run import connect
from pipeline.settings import Settings, read_key, read_settings
from pipeline.shaping import protection
from pipeline.tables import sample
from pipeline.unmatched import future_start, named, note_columns, unmatched

Configuration = Mapping[str, str]
PATIENCE = 20 * SECOND  # a person waits for the answer


def start_date_is_readable(configuration: Configuration) -> None:
    start = read_key(configuration, "initial_sync_start_date")
    if start > local_now() + DAY:  # by this machine's clock, which may be wrong
        raise SettingsError(future_start(start))


def hubspot_answers(configuration: Configuration) -> None:
    """Whatever it answers: what that means is the other tests' concern."""
    with _client(configuration) as client, contextlib.suppress(Unauthorized, Refused):
        client.event_types()


def token_is_valid(configuration: Configuration) -> None:
    with _client(configuration) as client, contextlib.suppress(Refused):
        client.event_types()


def event_types_are_known(configuration: Configuration) -> None:
    with _client(configuration) as client:
        _chosen(read_settings(configuration), client)


def scopes_are_sufficient(configuration: Configuration) -> None:
    """One event of each event type is asked for: only that shows which scopes HubSpot wants."""
    settings = read_settings(configuration)
    with _client(configuration) as client:
        refusals = {}
        for name in _chosen(settings, client):
            try:
                client.page({**question(settings, name), "limit": 1})
            except Refused as error:
                refusals[name] = str(error)
    if refusals:
        raise Refused("\n".join(f"{name}: {said}" for name, said in refusals.items()))


def columns_are_there(configuration: Configuration) -> None:
    """Some events of each event type are asked for, if the configuration names columns. Only what is nearly called like one of
    theirs fails: the others may have what these have not."""
    settings = read_settings(configuration)
    if not any(named(settings).values()):
        return
    columns: set[str] = set()
    note = protection(note=note_columns(columns)) or (lambda event: event)
    with _client(configuration) as client:
        for name in _chosen(settings, client):
            for event in sample(replace(settings, properties=()), client, name):
                note(event)
    if mistakes := unmatched(settings, columns, near_alone=True):
        raise SettingsError("\n".join(mistakes))


CHECKS: dict[str, Callable[[Configuration], None]] = {
    "The start date can be read": start_date_is_readable,
    "HubSpot can be reached": hubspot_answers,
    "The access token is valid": token_is_valid,
    "HubSpot knows the event types": event_types_are_known,
    "The access token has the scopes": scopes_are_sufficient,
    "The columns that are named are there": columns_are_there,
}


def _client(configuration: Configuration) -> Client:
    return connect(read_settings(configuration), patience=PATIENCE)


def _chosen(settings: Settings, client: Client) -> tuple[str, ...]:
    """The event types the settings choose. Raises SettingsError where the account does not know one, or none at all."""
    known = client.event_types()
    chosen = choose(settings.event_types, known)
    if chosen.unknown:
        raise SettingsError("\n".join(whats_nearest(name, known) for name in chosen.unknown))
    if not chosen.names:
        raise SettingsError(NONE_CHOSEN)
    return chosen.names
