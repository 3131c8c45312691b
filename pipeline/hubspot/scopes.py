"""Finds the scopes that a refusal of HubSpot's asks for, in its contexts and in its words."""

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

MAX_SCOPES, MAX_SCOPE = 20, 80  # scopes read from one list, and characters of one
MAX_SEARCHED = 5000  # characters of a message

# Live messages name scopes in these ways: "requires one of: [a,b]", "the 'a' scope", "Missing auth
# details: a,b".
_NAME = r"[a-z][\w.-]*\w"
_ITEM = rf"['\"`]?{_NAME}['\"`]?"
_LEAD = r"(?:requires?|one of|any of|all of|scopes?)\b[^\[\]]*"
_LISTED = re.compile(rf"({_LEAD})\[(\s*{_ITEM}(?:[,\s]+{_ITEM})*)\s*\]", re.ASCII | re.IGNORECASE)
_QUOTED = re.compile(
    rf"((?:['\"`]{_NAME}['\"`],?\s+(?:(?:and|or)\s+)?)+)scopes?\b|\bscopes? ['\"`]{_NAME}['\"`]", re.ASCII
)
_IN_QUOTES = re.compile(rf"['\"`]({_NAME})['\"`]", re.ASCII)
_DETAILS = re.compile(rf"Missing auth details:\s*\[?({_ITEM}(?:,\s*{_ITEM})*)\]?", re.ASCII)
_ABOUT_SCOPES = re.compile(r"scope|permission", re.IGNORECASE)
_ONE_SUFFICES = re.compile(r"(?:one|one or more|any) of", re.IGNORECASE)


class Scopes(NamedTuple):
    """Scopes that HubSpot asks for together, and whether one of them suffices."""

    names: tuple[str, ...]
    one_suffices: bool = False


class Error(NamedTuple):
    """One error of a body: its message, its context (None: it has none), and the words that tell
    whether one scope suffices.
    """

    message: str
    context: Any
    words: str


def scopes_of(errors: Iterable[Error]) -> tuple[Scopes, ...]:
    """The scopes that errors ask for together, each named once: first all that are needed, then
    those of which one suffices.

    >>> scopes_of([Error("Needs the 'aa' scope", {"missingScopes": ["bb"]}, ""), Error("Scopes: any of [cc, dd]", None, "")])
    (Scopes(names=('aa', 'bb'), one_suffices=False), Scopes(names=('cc', 'dd'), one_suffices=True))
    """
    errors = list(errors)
    is_about_scopes = any(_ABOUT_SCOPES.search(error.message[:MAX_SEARCHED]) for error in errors)
    found = list(chain.from_iterable(_of_error(error, is_about_scopes) for error in errors))
    needed = {name for scopes in found if not _is_choice(scopes) for name in scopes.names}
    choices = dict.fromkeys(scopes for scopes in found if _is_choice(scopes) and needed.isdisjoint(scopes.names))
    narrow = [scopes for scopes in choices if not any(set(scopes.names) > set(other.names) for other in choices)]
    return (*([Scopes(tuple(sorted(needed)))] if needed else []), *narrow)


def _is_choice(scopes: Scopes) -> bool:
    return scopes.one_suffices and len(scopes.names) > 1


def _of_error(error: Error, is_about_scopes: bool) -> list[Scopes]:
    """The scopes in one error. A context that lists some of those in its message, or more,
    completes them.
    """
    found = scopes_in(error.message) if is_about_scopes else []
    required = _listed(error.context, "requiredScopes") | _listed(error.context, "requiredGranularScopes")
    if len(found) == 1 and not required.isdisjoint(found[0].names):
        found = [found[0]._replace(names=tuple(sorted(required.union(found[0].names))))]
    elif rest := required.difference(*(scopes.names for scopes in found)):
        found.append(Scopes(tuple(sorted(rest)), bool(_ONE_SUFFICES.search(error.words))))
    missing = _listed(error.context, "missingScopes")
    return [*found, *([Scopes(tuple(sorted(missing)))] if missing else [])]


def _listed(context: Any, key: str) -> set[str]:
    """The names under a key of a context: a list, or one alone."""
    listed = context.get(key) if isinstance(context, Mapping) else None
    return {
        str(name)[:MAX_SCOPE]
        for name in (listed if isinstance(listed, list) else [listed] if listed else [])[:MAX_SCOPES]
    }


def scopes_in(message: str) -> list[Scopes]:
    """The scopes that a message names.

    >>> scopes_in("Insufficient scopes, requires one of: [event-detail-read,web-analytics-api-access]")
    [Scopes(names=('event-detail-read', 'web-analytics-api-access'), one_suffices=True)]
    >>> scopes_in("Do you have access to the 'business-intelligence' scope?  Missing auth details: content,social")
    [Scopes(names=('business-intelligence', 'content', 'social'), one_suffices=True)]
    """
    message = message[:MAX_SEARCHED]
    details = [name for names in _DETAILS.findall(message) for name in re.findall(_NAME, names)]
    message = _DETAILS.sub("", message)
    quoted = [name for match in _QUOTED.finditer(message) for name in _IN_QUOTES.findall(match[0])]
    found = [Scopes(tuple(sorted({*quoted, *details})), bool(details))] if quoted or details else []
    for lead, names in _LISTED.findall(message):
        found.append(Scopes(tuple(sorted(set(re.findall(_NAME, names)))), bool(_ONE_SUFFICES.search(lead))))
    return list(dict.fromkeys(found))
