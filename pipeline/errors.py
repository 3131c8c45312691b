"""The errors a sync can end with. Messages are written where they are raised; those about HubSpot's
answers in hubspot/failures.py and hubspot/retry.py.
"""


class ConnectorError(Exception):
    """Stops a sync, or one event type of it. The message is for the operator."""


class SettingsError(ConnectorError):
    """The configuration cannot be used; the message names every mistake in it."""


class StateError(ConnectorError):
    """The saved state cannot be used."""


class HubSpotError(ConnectorError):
    """HubSpot refused, failed or could not be reached."""


class Unauthorized(HubSpotError):
    """The token is wrong, revoked, expired or malformed: nothing can be read with it."""


class Refused(HubSpotError):
    """HubSpot does not serve this request (a scope, an event type, a path, a parameter), but may
    serve others. `explained`: in HubSpot's own words; a proxy's page may be gone at the next
    request.
    """

    def __init__(self, message: str, explained: bool = True):
        super().__init__(message)
        self.explained = explained


class Forbidden(Refused):
    """HubSpot does not let this token read this event type."""


class BadAnswer(HubSpotError):
    """HubSpot's answer cannot be used, such as a page cursor that repeats."""


class Unavailable(HubSpotError):
    """HubSpot has failed for too long, or asks for too long a wait: the next sync resumes from the
    checkpoint. `is_whole`: no other request was answered for as long either.
    """

    def __init__(self, message: str, is_whole: bool = False):
        super().__init__(message)
        self.is_whole = is_whole


class QuotaSpent(Unavailable):
    """The account's daily quota of requests is spent: HubSpot refuses every request until the
    account's midnight.
    """


class Stopped(ConnectorError):
    """The sync is being stopped, so the request was abandoned."""
