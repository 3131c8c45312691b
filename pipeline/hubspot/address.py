"""The address of HubSpot, or of a stand-in for it on this machine."""

import ipaddress
from urllib.parse import urlsplit

HUBSPOT = "https://api.hubapi.com"
DOMAIN = "hubapi.com"  # of every host that HubSpot serves its API from
_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("127.0.0.1.example.com")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def takes_tokens(host: str) -> bool:
    """Whether the token may be sent to a host: HubSpot's, or this machine. Whoever may change the
    address must not be able to have the token sent to them.

    >>> takes_tokens("api-eu1.hubapi.com"), takes_tokens("localhost"), takes_tokens("nothubapi.com")
    (True, True, False)
    """
    return f".{host.lower()}".endswith(f".{DOMAIN}") or is_loopback(host)


def host_and_port(url: str) -> tuple[str, int | None]:
    """The host and the port of a base URL, however it is spelled; a text that is not a URL is
    returned as the host.

    >>> host_and_port("https://API.hubapi.com/"), host_and_port("nowhere")
    (('api.hubapi.com', 443), ('nowhere', None))
    """
    try:
        parts = urlsplit(url)
        return parts.hostname or url, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return url, None
