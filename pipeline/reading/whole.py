"""Tells when a window is whole: its walk came to a plain end, or two walks in a row held the same."""

from pipeline.errors import Refused
from pipeline.hubspot.client import Page
from pipeline.reading.window import PageRequest, WindowPage, is_outside


class Inconclusive(Exception):
    """This walk comes to no certain end; one through a smaller window, or with pages of another
    size, may. `cause` is HubSpot's refusal, if there was one.
    """

    def __init__(self, why: str, cause: Refused | None = None):
        super().__init__(why)
        self.cause = cause


def is_doubtful(page: Page, request: PageRequest) -> bool:
    """Whether a page may hide others: its paging cannot be read, or it is empty although a cursor
    led to it or it names a next one.
    """
    return page.unclear or not (page.events or page.cursor is request.cursor is None)


def is_plain(page: Page, request: PageRequest, part: WindowPage, largest: int) -> bool:
    """Whether a last page is a plain end: its paging can be read; it holds fewer events than were
    asked for, and fewer than the `largest` page so far (HubSpot may grant fewer than asked for);
    and if a page cursor led to it, it brings something new within the bounds.
    """
    if page.unclear or page.full or 0 < largest <= len(part.places):
        return False
    if request.cursor is None:
        return True
    return part.is_new and not all(is_outside(ms, request.bounds) for ms in part.places.values())


def another_size(limit: int, granted: int) -> int:
    """Another number of events per page, which shifts what page cursors point at: smaller than what
    HubSpot is known to have `granted`, if possible, since a larger one may be cut down to that.

    >>> another_size(1000, 1000), another_size(2, 50), another_size(1, 1)
    (999, 50, 4)
    """
    limit = min(limit, granted)
    if limit > 2:
        return limit - 1
    return granted if limit < granted else limit + 3
