"""What was seen a short while ago, in bounded memory."""
from collections import deque

RECENT = 20_000  # numbers remembered


class Recent:
    """Remembers the last RECENT numbers, so that what the API repeats is counted once."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._order: deque[int] = deque()

    def is_new(self, number: int) -> bool:
        """Whether a number is not among the last ones; remembers it."""
        if number in self._numbers:
            return False
        if len(self._order) >= RECENT:
            self._numbers.discard(self._order.popleft())
        self._order.append(number)
        self._numbers.add(number)
        return True
