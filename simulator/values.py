"""Made-up values, picked by number: the same number gives the same value. The only host is
127.0.0.1.
"""

from collections.abc import Sequence
from typing import TypeVar

Value = TypeVar("Value")
MASK = 2**64 - 1
SITE = "https://127.0.0.1"
CITIES = [
    ("portland", "oregon", "united states"),
    ("berlin", "berlin", "germany"),
    ("são paulo", "são paulo", "brazil"),
    ("paris", "île-de-france", "france"),
    ("tokyo", "tokyo", "japan"),
    ("pune", "maharashtra", "india"),
    ("dublin", "leinster", "ireland"),
    ("", "", "united kingdom"),
    ("sydney", "new south wales", "australia"),
]
PAGES = [
    ("/", "Home"),
    ("/pricing", "Pricing & plans"),
    ("/blog/keyset-paging", "Why offsets lose rows | Blog"),
    ("/product/sync", "Sync everything"),
    ("/contact", "Talk to us"),
    ("/docs/événements", "Événements – docs"),
    ("/customers/acme", 'How "Acme" moved 1,000,000 events'),
    ("/careers", ""),
    ("/legal/privacy", "Privacy"),
]
AGENTS = [
    (
        "Chrome", ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124.0 "
                  "Safari/537.36"), "DESKTOP",
        "124", "Windows",
    ),
    (
        "Safari", ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 "
                  "Mobile/15E148"), "MOBILE",
        "17", "iOS",
    ),
    ("Firefox", "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", "DESKTOP", "125", "Linux"),
]  # fmt: skip
REFERRERS = ["", "", "/blog/", "/newsletter?utm_source=spring"]
SOURCES = ["DIRECT_TRAFFIC", "ORGANIC_SEARCH", "PAID_SOCIAL", "EMAIL_MARKETING", "REFERRALS"]

# What depends on the event, not on the number alone: fields of the %-format that serialized
# properties are.
PERSON = "%(person)d"  # the event's objectId
OCCURRED = "%(occurred)d"  # when it occurred, ms
PROCESSED = "%(processed)d"  # and a moment later


def mix(number: int) -> int:
    """A 64-bit hash of an integer, without collisions below 2**64."""
    number = number * 0x9E3779B97F4A7C15 & MASK
    number = (number ^ number >> 29) * 0xBF58476D1CE4E5B9 & MASK
    return number ^ number >> 32


def pick(choices: Sequence[Value], number: int, salt: int) -> Value:
    """One of the choices: the same for the same number and salt."""
    return choices[mix(number * 31 + salt) % len(choices)]


def digits(count: int, number: int, salt: int) -> str:
    """An id of that many decimal digits.

    >>> digits(6, 1, 2).isdigit(), len(digits(6, 1, 2))
    (True, 6)
    """
    least = 10 ** (count - 1)
    return str(least + mix(number * 31 + salt) % (9 * least))


def uuid(number: int, salt: int) -> str:
    """A random-looking UUID.

    >>> len(uuid(1, 2))
    36
    """
    first = mix(number * 31 + salt)
    text = f"{first:016x}{mix(first):016x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
