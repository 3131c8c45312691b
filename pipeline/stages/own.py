"""Your own stages, from events to events, for syncs and notebooks alike (docs/extending.md)."""

from collections.abc import Callable, Iterable, Iterator

from pipeline.stages.events import Event

Stage = Callable[[Iterable[Event]], Iterator[Event]]

OWN: tuple[Stage, ...] = ()  # in their order; they see each event as HubSpot sent it
