"""Page visits: the JSON of an event, assembled from a pool of serialized properties."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import orjson

Value = TypeVar("Value")
POOL = 499
MASK = 2**64 - 1
CITIES = [
    ("portland", "oregon", "united states"), ("berlin", "berlin", "germany"), ("são paulo", "são paulo", "brazil"),
    ("paris", "île-de-france", "france"), ("tokyo", "tokyo", "japan"), ("pune", "maharashtra", "india"),
    ("dublin", "leinster", "ireland"), ("", "", "united kingdom"), ("sydney", "new south wales", "australia"),
]
PAGES = [
    ("/", "Home"), ("/pricing", "Pricing & plans"), ("/blog/keyset-paging", "Why offsets lose rows | Blog"),
    ("/product/sync", "Sync everything"), ("/contact", "Talk to us"), ("/docs/événements", "Événements – docs"),
    ("/customers/acme", "How \"Acme\" moved 1,000,000 events"), ("/careers", ""), ("/legal/privacy", "Privacy"),
]
AGENTS = [
    ("Chrome", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124.0 Safari/537.36", "DESKTOP"),
    ("Safari", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "MOBILE"),
    ("Firefox", "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", "DESKTOP"),
]
REFERRERS = ["", "", "/blog/", "/newsletter?utm_source=spring"]


def mix(number: int) -> int:
    """A 64-bit hash of an integer, without collisions below 2**64."""
    number = number * 0x9E3779B97F4A7C15 & MASK
    number = (number ^ number >> 29) * 0xBF58476D1CE4E5B9 & MASK
    return number ^ number >> 32


def _pick(choices: Sequence[Value], number: int, salt: int) -> Value:
    """One of the choices: the same for the same number and salt."""
    return choices[mix(number * 31 + salt) % len(choices)]


def _properties(number: int) -> dict[str, str]:
    """The properties of one page visit. As in HubSpot, all are strings, and some are empty."""
    city, region, country = _pick(CITIES, number, 1)
    path, title = _pick(PAGES, number, 2)
    browser, agent, device = _pick(AGENTS, number, 3)
    return {
        "hs_url": "https://127.0.0.1" + path, "hs_title": title, "hs_page_id": str(mix(number % 97) % 10**11),
        "hs_page_content_type": _pick(["STANDARD_PAGE", "BLOG_POST", "LANDING_PAGE"], number, 4),
        "hs_city": city, "hs_region": region, "hs_country": country, "hs_browser": browser, "hs_device_type": device,
        "hs_user_agent": agent, "hs_referrer": _pick(REFERRERS, number, 5), "hs_language": "en-us",
        "hs_session_id": f"{mix(number):016x}", "hs_visitor_type": _pick(["NEW", "RETURNING"], number, 6),
        "hs_utm_campaign": _pick(["", "spring-launch"], number, 7),
    }  # fmt: skip


@lru_cache(maxsize=1)
def visits() -> list[tuple[bytes, bytes]]:
    """The pool that events share: pairs of the end of a UUID and the end of an event's JSON."""
    return [(_uuid_end(mix(number)), orjson.dumps(_properties(number)) + b"}") for number in range(POOL)]


def _uuid_end(number: int) -> bytes:
    """The last two groups of a UUID."""
    return b"%04x-%012x" % (number >> 48, number & 0xFFFFFFFFFFFF)


def template(event_type: str) -> bytes:
    """A %-format of an event up to its properties. It takes objectId, occurredAt, a UUID in four parts, and milliseconds."""
    name = orjson.dumps(event_type).replace(b"%", b"%%")
    return (
        b'{"objectType":"CONTACT","objectId":"%d","eventType":' + name + b',"occurredAt":"%b",'
        b'"id":"leviathan-%08x-%04x-%04x-%b-%d","properties":'
    )
