"""The setup tests. Each takes a configuration, and raises ConnectorError with the cure if it
fails.
"""

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.config.connect import connect, query_for
from pipeline.config.event_types import NONE_SELECTED, select, unknown_event_type_message
from pipeline.config.settings import Settings, read_settings, unknown_keys
from pipeline.config.unmatched import collect_into, named_columns, unmatched
from pipeline.connection.refusals import Refusals
from pipeline.connection.text_patterns import instead_of_patterns
from pipeline.connection.warnings import future_start
from pipeline.errors import HubSpotError, QuotaSpent, Refused, SettingsError, Unauthorized
from pipeline.hubspot.client import Client
from pipeline.hubspot.events_api import LIMIT, within
from pipeline.reading.window import Window
from pipeline.stages.protect import protection
from pipeline.timestamps import DAY, SECOND, local_now

Configuration = Mapping[str, str]
SAMPLED = 100  # events
PATIENCE = 20 * SECOND  # a person waits for the answer
NOT_TRIED = "Not tried: the configuration has mistakes, which the first test names."


def configuration_is_right(configuration: Configuration) -> None:
    """Reports all mistakes and unknown keys at once. HubSpot is not asked."""
    wrong = []
    try:
        settings = read_settings(configuration)
        if settings.start > local_now() + DAY:  # by this machine's clock, which may be wrong
            wrong.append(future_start(settings.start))
        wrong += filter(None, [instead_of_patterns(settings)])
    except SettingsError as mistakes:
        wrong.append(str(mistakes))
    wrong += unknown_keys(configuration)
    if wrong:
        raise SettingsError("\n".join(wrong))


def hubspot_can_be_reached(configuration: Configuration) -> None:
    """Passes whatever HubSpot answers: the other tests judge that."""
    with _client(_settings(configuration)) as client, contextlib.suppress(Unauthorized, Refused):
        client.event_types()


def token_is_valid(configuration: Configuration) -> None:
    with _client(_settings(configuration)) as client, contextlib.suppress(Refused):
        client.event_types()


def event_types_are_known(configuration: Configuration) -> None:
    settings = _settings(configuration)
    with _client(settings) as client:
        _selected(settings, client)


def events_can_be_read(configuration: Configuration) -> None:
    """Asks for a page of each event type, as a sync does: only that shows which scopes HubSpot
    wants, and whether it accepts the page size. Fails if HubSpot refuses all event types, or one
    that the configuration names; a sync leaves out others that it refuses, with a warning.
    """
    settings = _settings(configuration)
    refusals = Refusals(settings)
    named: dict[str, HubSpotError] = {}
    with _client(settings) as client:
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
        number = "it" if len(selected) == 1 else sum(map(bool, answers.values()))
        asked = f"HubSpot was asked for a page of {tried} (page_size {settings.page_size}) and refused {number}:"
        raise Refused("\n".join([asked, *said]))


def _refusal(settings: Settings, client: Client, event_type: str) -> HubSpotError | None:
    """Why HubSpot does not send the events of a type, None if it does."""
    try:
        client.page(query_for(settings, event_type))
    except (Unauthorized, QuotaSpent):
        raise
    except HubSpotError as error:
        return error
    return None


def configured_columns_exist(configuration: Configuration) -> None:
    """Asks for some events of each event type, if the configuration names columns. Fails for a name
    that is close to a known column's (other names may belong to events still to come), and if
    HubSpot sends no event to compare with, but an error.
    """
    settings = _settings(configuration)
    if not any(named_columns(settings).values()):
        return
    columns: set[str] = set()
    unanswered: list[HubSpotError] = []
    observe = protection(observe=collect_into(columns)) or (lambda event: event)
    with _client(settings) as client:
        for name in _selected(settings, client):
            try:
                for event in _sample(settings, client, name):
                    observe(event)
            except Unauthorized:
                raise
            except HubSpotError as error:
                unanswered.append(error)
    if unanswered and not columns:
        raise unanswered[0]
    if mistakes := unmatched(settings, columns, only_near=True):
        raise SettingsError("\n".join(mistakes))


def _sample(settings: Settings, client: Client, event_type: str) -> list[Any]:
    """The first events of a type, with all their properties."""
    query = query_for(replace(settings, properties=()), event_type)
    limit = {LIMIT: min(SAMPLED, settings.page_size)}
    return client.page({**query, **limit, **within(Window(settings.start, None).bounds())}).events


SETUP_TESTS: dict[str, Callable[[Configuration], None]] = {
    "The configuration is right": configuration_is_right,
    "HubSpot can be reached": hubspot_can_be_reached,
    "The access token is valid": token_is_valid,
    "HubSpot knows the event types": event_types_are_known,
    "HubSpot sends the events: scopes and page size": events_can_be_read,
    "The configured columns exist": configured_columns_exist,
}


def _settings(configuration: Configuration) -> Settings:
    """The settings, for a test that is not about them."""
    try:
        return read_settings(configuration)
    except SettingsError:
        raise SettingsError(NOT_TRIED) from None


def _client(settings: Settings) -> Client:
    return connect(settings, patience=PATIENCE)


def _selected(settings: Settings, client: Client) -> tuple[str, ...]:
    """The event types that the settings select: only those named in full, if HubSpot refuses to
    list its event types. Raises SettingsError if the account does not know one, or none is
    selected.
    """
    try:
        known = client.event_types()
    except Refused:
        if named := select(settings.event_types).names:
            return named
        raise
    selected = select(settings.event_types, known)
    if selected.unknown:
        raise SettingsError("\n".join(unknown_event_type_message(name, known) for name in selected.unknown))
    if not selected.names:
        raise SettingsError(NONE_SELECTED)
    return selected.names
