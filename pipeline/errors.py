"""The errors a sync can end with: one family, whose message says what happened and what to do about it."""


class ConnectorError(Exception):
    """Whatever stops a sync, or one event type of it; the message is for the person who runs the connection."""


class SettingsError(ConnectorError):
    """The configuration cannot be used; the message names every mistake in it."""


class StateError(ConnectorError):
    """The saved state cannot be used."""


class HubSpotError(ConnectorError):
    """HubSpot's answer stops the sync."""


class Unauthorized(HubSpotError):
    """The token is wrong, revoked, expired or malformed: nothing can be read with it."""


class Refused(HubSpotError):
    """HubSpot does not serve this request (a scope, an event type, a path, a parameter): others may still be served."""


class BadAnswer(HubSpotError):
    """HubSpot's answer cannot be followed, such as a page cursor that repeats."""


class Unavailable(HubSpotError):
    """No good answer for too long, or a wait demanded that is too long: the next sync resumes from the checkpoint."""


class QuotaSpent(Unavailable):
    """The account's daily quota of requests is spent: nothing is answered before its midnight."""


class Stopped(ConnectorError):
    """This sync is being stopped, so the request was given up."""
