"""Stages of one's own, from events to events: for syncs and for notebooks (docs/extending.md)."""

from collections.abc import Callable, Iterable, Iterator

from pipeline.stages.events import Event

Stage = Callable[[Iterable[Event]], Iterator[Event]]

OWN: tuple[Stage, ...] = ()  # in their order; they see each event as HubSpot sent it
