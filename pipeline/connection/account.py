"""Whether the saved cursors belong to the account that this sync reads: those of another would skip
events silently.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipeline.connection.state import RESYNC
from pipeline.errors import StateError
from pipeline.hubspot.address import host_and_port, is_loopback


def unknown_origin(state: Mapping[str, Any], base_url: str) -> str | None:
    """A sentence to log if a state (of this version) does not say where its cursors were made, and
    they are taken for this account's.

    >>> unknown_origin({"event_types": {"e_a": {}}}, "https://api.hubapi.com")
    'The saved state does not say where it was made: it is taken as made at https://api.hubapi.com.'
    >>> unknown_origin({"event_types": {}}, "https://api.hubapi.com")
    """
    if not state["event_types"] or state.get("api_base_url") is not None:
        return None
    return f"The saved state does not say where it was made: it is taken as made at {base_url}."


def other_origin(state: Mapping[str, Any], base_url: str) -> str | None:
    """A warning if the cursors of a state (of this version) were made at another address.

    Raises StateError between this machine and HubSpot: a trial and an account have no event in
    common.

    >>> other_origin({"event_types": {"e_a": {}}, "api_base_url": "https://api.hubapi.com/"}, "https://api.hubapi.com")
    >>> other_origin({"event_types": {"e_a": {}}, "api_base_url": "http://127.0.0.1:1"}, "http://127.0.0.1:2")[:64]
    'api_base_url is http://127.0.0.1:2, and the saved state was made'
    """
    before = state.get("api_base_url")
    if not state["event_types"] or before is None or host_and_port(before) == host_and_port(base_url):
        return None
    if _is_here(before) != _is_here(base_url):
        raise StateError(
            f"The saved state was made at {_named(before)}, and api_base_url is "
            f"{_named(base_url)}: resuming would leave out every event before its cursors, and mix "
            "two accounts in one table. Set api_base_url back, give each a connection (locally: a "
            f"folder) of its own, or, {RESYNC}."
        )
    return (
        f"api_base_url is {base_url}, and the saved state was made at {before}: the sync resumes "
        "from its cursors. If that is another account, set api_base_url back, and give it a "
        "connection of its own."
    )


def other_portals(before: Collection[str], now: Collection[str]) -> str | None:
    """A warning if the custom events of the state and those of this sync are of different portals.

    >>> other_portals(["e_visited_page", "pe1_signup"], ["pe1_login", "pe2_login"])
    >>> other_portals(["pe1_signup"], ["pe2_signup"])[:73]
    'The saved state has custom events of portal 1, and this sync of portal 2:'
    """
    theirs, ours = _portals(before), _portals(now)
    if not theirs or not ours or theirs & ours:
        return None
    return (
        f"The saved state has custom events of portal {_listed(theirs)}, and this sync of portal "
        f"{_listed(ours)}: cursors of one account leave out events of another. If that is not "
        "meant, correct api_token or event_types; for another account, create a separate connection."
    )


def _is_here(url: str) -> bool:
    return is_loopback(host_and_port(url)[0])


def _named(url: str) -> str:
    return f"{url[:200]} (this machine)" if _is_here(url) else url[:200]


def _portals(event_types: Iterable[str]) -> set[str]:
    """The portals in the names of custom events, such as 123 in pe123_signup."""
    return {found[1] for name in event_types if (found := re.match(r"pe(\d+)_", name))}


def _listed(portals: Iterable[str]) -> str:
    return ", ".join(sorted(portals, key=int)[:10])
