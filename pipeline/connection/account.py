"""Whether the saved cursors are of the account that this sync asks: another account's would pass over events without a word."""
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import StateError
from pipeline.settings import is_loopback

PORTS = {"http": 80, "https": 443}


def adopted(state: Mapping[str, Any], base_url: str) -> list[str]:
    """What to log of a state (of this version) that does not say where its cursors were made: they are taken as this account's.

    >>> adopted({"event_types": {"e_a": {}}}, "https://api.hubapi.com")
    ['The saved state does not say which address it was made against: it is taken as made against https://api.hubapi.com.']
    >>> adopted({"event_types": {}}, "https://api.hubapi.com")
    []
    """
    if not state["event_types"] or state.get("made_against") is not None:
        return []
    return [f"The saved state does not say which address it was made against: it is taken as made against {base_url}."]


def moved(state: Mapping[str, Any], base_url: str) -> list[str]:
    """What to warn of if the cursors of a state (of this version) were made against another address.

    Raises StateError between this machine and HubSpot: a trial and an account have no event in common.

    >>> moved({"event_types": {"e_a": {}}, "made_against": "https://api.hubapi.com/"}, "https://api.hubapi.com")
    []
    >>> len(moved({"event_types": {"e_a": {}}, "made_against": "http://127.0.0.1:8000"}, "http://127.0.0.1:8001"))
    1
    """
    before = state.get("made_against")
    if not state["event_types"] or before is None or _address(before) == _address(base_url):
        return []
    if _is_here(before) != _is_here(base_url):
        raise StateError(
            f"The saved state was made against {_named(before)}, and api_base_url is {_named(base_url)}: going on would leave "
            "out every event before its cursors, and mix two accounts in one table. Set api_base_url back to go on with the "
            "state, or re-sync the connection from the start (locally: fivetran reset, or work in another folder)."
        )
    return [
        f"api_base_url is {base_url}, and the saved state was made against {before}: the sync goes on from its cursors. If that "
        "is another account, set api_base_url back, or re-sync the connection from the start (locally: fivetran reset)."
    ]


def portals_apart(before: Collection[str], now: Collection[str]) -> list[str]:
    """What to warn of if the custom events of the state and those of this sync are of different portals.

    >>> portals_apart(["e_visited_page", "pe1_signup"], ["pe1_login", "pe2_login"])
    []
    >>> portals_apart(["pe1_signup"], ["pe2_signup"])[0][:73]
    'The saved state has custom events of portal 1, and this sync of portal 2:'
    """
    theirs, ours = _portals(before), _portals(now)
    if not theirs or not ours or theirs & ours:
        return []
    return [
        f"The saved state has custom events of portal {_listed(theirs)}, and this sync of portal {_listed(ours)}: cursors of one "
        "account leave out events of another. If that is not meant, correct api_token or event_types; for another account, "
        "make a connection of its own, or re-sync this one from the start (locally: fivetran reset)."
    ]


def _address(url: str) -> tuple[str, int | None]:
    """The host and port that a base URL means, whatever its spelling; what is no URL stands for itself."""
    try:
        parts = urlsplit(url)
        return parts.hostname or url, parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return url, None


def _is_here(url: str) -> bool:
    return is_loopback(_address(url)[0])


def _named(url: str) -> str:
    return f"{url[:200]} (this machine)" if _is_here(url) else url[:200]


def _portals(event_types: Iterable[str]) -> set[str]:
    """The portals that names of custom events tell, such as 123 of pe123_signup."""
    return {found[1] for name in event_types if (found := re.match(r"pe(\d+)_", name))}


def _listed(portals: Iterable[str]) -> str:
    return ", ".join(sorted(portals, key=int)[:10])
