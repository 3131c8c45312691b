"""What was seen a short while ago, in bounded memory."""
from collections import deque
from collections.abc import Hashable


class Recent:
    """Remembers the last `size` keys, so that what the API repeats is seen once.

    >>> recent = Recent(2)
    >>> [recent.is_new(key) for key in "abaca"]
    [True, True, False, True, True]
    """

    def __init__(self, size: int):
        self._size = size
        self._keys: set[Hashable] = set()
        self._order: deque[Hashable] = deque()

    def is_new(self, key: Hashable) -> bool:
        """Whether a key is not among the last ones; remembers it if so."""
        if key in self._keys:
            return False
        if self._size > 0:
            if len(self._order) >= self._size:
                self._keys.discard(self._order.popleft())
            self._order.append(key)
            self._keys.add(key)
        return True
