"""What was seen a short while ago, in bounded memory."""

from collections import deque
from collections.abc import Hashable

# Two of the largest pages: what HubSpot's API repeats is on the same page, or the next.
RECENT_IDS = 20_000
_NEVER = object()


class Recent:
    """Remembers the last `size` keys, and the content last seen of each.

    >>> recent = Recent(2)
    >>> [recent.add(key) for key in "abaca"]
    [True, True, False, True, True]
    >>> [recent.add("a", content) for content in (1, 1, 2)]
    [True, False, True]
    """

    def __init__(self, size: int):
        self._size = size
        self._seen: dict[Hashable, Hashable] = {}
        self._order: deque[Hashable] = deque()

    def add(self, key: Hashable, content: Hashable = None) -> bool:
        """Remembers a key. Returns whether it is new: not among the last ones, or last seen with
        other content.
        """
        before = self._seen.get(key, _NEVER)
        if before == content:
            return False
        if before is _NEVER and self._size > 0:
            if len(self._order) >= self._size:
                self._seen.pop(self._order.popleft(), None)
            self._order.append(key)
        if self._size > 0:
            self._seen[key] = content
        return True
