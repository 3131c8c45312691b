"""The setup tests. Each takes a configuration, and raises ConnectorError with the cure if it fails."""
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from pipeline.config.connect import connect, query_for
from pipeline.config.event_types import NONE_SELECTED, needs_list, select, unknown_event_type_message
from pipeline.config.settings import Settings, read_key, read_settings
from pipeline.config.unmatched import collect_into, named_columns, unmatched
from pipeline.connection.refusals import Refusals
from pipeline.connection.warnings import future_start
from pipeline.errors import HubSpotError, Refused, SettingsError, Unauthorized
from pipeline.hubspot.client import Client
from pipeline.hubspot.events_api import LIMIT
from pipeline.stages.protect import protection
from pipeline.tables.schema import sample
from pipeline.timestamps import DAY, SECOND, local_now

Configuration = Mapping[str, str]
PATIENCE = 20 * SECOND  # a person waits for the answer


def start_date_is_valid(configuration: Configuration) -> None:
    start = read_key(configuration, "initial_sync_start_date")
    if start > local_now() + DAY:  # by this machine's clock, which may be wrong
        raise SettingsError(future_start(start))


def hubspot_is_reachable(configuration: Configuration) -> None:
    """Passes whatever HubSpot answers: the other tests judge that."""
    with _client(configuration) as client, contextlib.suppress(Unauthorized, Refused):
        client.event_types()


def token_is_valid(configuration: Configuration) -> None:
    with _client(configuration) as client, contextlib.suppress(Refused):
        client.event_types()


def event_types_are_known(configuration: Configuration) -> None:
    with _client(configuration) as client:
        _selected(read_settings(configuration), client)


def scopes_are_sufficient(configuration: Configuration) -> None:
    """Asks for one event of each event type: only that shows which scopes HubSpot wants. Fails if HubSpot refuses one that the
    configuration names, or all; a sync leaves out the others, with a warning."""
    settings = read_settings(configuration)
    refusals = Refusals(settings)
    named: dict[str, HubSpotError] = {}
    with _client(configuration) as client:
        selected = _selected(settings, client)
        with ThreadPoolExecutor(settings.concurrency) as workers:
            answers = dict(zip(selected, workers.map(partial(_refusal, settings, client), selected), strict=True))
    for name, refused in answers.items():
        if refused and refusals.is_named(name):
            named[name] = refused
        elif refused:
            refusals.add(name, refused)
    if named or all(answers.values()):
        said = [f"{name}: {refused}" for name, refused in named.items()] + list(filter(None, [refusals.warning()]))
        tried = "one event type" if len(selected) == 1 else f"each of {len(selected)} event types"
        raise Refused("\n".join([f"HubSpot was asked for an event of {tried}, and refused:", *said]))


def _refusal(settings: Settings, client: Client, event_type: str) -> HubSpotError | None:
    """Why HubSpot does not send the events of a type, None if it does."""
    try:
        client.page({**query_for(settings, event_type), LIMIT: 1})
    except Unauthorized:
        raise
    except HubSpotError as error:
        return error
    return None


def configured_columns_exist(configuration: Configuration) -> None:
    """Asks for some events of each event type, if the configuration names columns. Fails only for a name that is close to a known
    column's: other names may belong to events still to come."""
    settings = read_settings(configuration)
    if not any(named_columns(settings).values()):
        return
    columns: set[str] = set()
    observe = protection(observe=collect_into(columns)) or (lambda event: event)
    with _client(configuration) as client:
        for name in _selected(settings, client):
            events, _ = sample(replace(settings, properties=()), client, name)
            for event in events:
                observe(event)
    if mistakes := unmatched(settings, columns, only_near=True):
        raise SettingsError("\n".join(mistakes))


SETUP_TESTS: dict[str, Callable[[Configuration], None]] = {
    "The start date is valid": start_date_is_valid,
    "HubSpot is reachable": hubspot_is_reachable,
    "The access token is valid": token_is_valid,
    "HubSpot knows the event types": event_types_are_known,
    "The access token has the required scopes": scopes_are_sufficient,
    "The configured columns exist": configured_columns_exist,
}


def _client(configuration: Configuration) -> Client:
    return connect(read_settings(configuration), patience=PATIENCE)


def _selected(settings: Settings, client: Client) -> tuple[str, ...]:
    """The event types that the settings select. Raises SettingsError if the account does not know one, or none is selected."""
    try:
        known = client.event_types()
    except Refused:
        if needs_list(settings.event_types):
            raise
        return select(settings.event_types).names
    selected = select(settings.event_types, known)
    if selected.unknown:
        raise SettingsError("\n".join(unknown_event_type_message(name, known) for name in selected.unknown))
    if not selected.names:
        raise SettingsError(NONE_SELECTED)
    return selected.names
