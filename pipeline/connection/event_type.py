"""One event type in one sync."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.audits.ledger import Ledger, begin_of, make_due, note_silence
from pipeline.audits.subject import Saved
from pipeline.config.connect import query_for
from pipeline.connection import spans
from pipeline.connection.deliver import Delivery, deliver
from pipeline.connection.reporting import format_duration, format_rows
from pipeline.connection.run import Run
from pipeline.connection.state import Progress
from pipeline.connection.warnings import Topic
from pipeline.errors import HubSpotError, Refused
from pipeline.reading.fetch import fetch_page
from pipeline.reading.reader import Reader
from pipeline.tables.sync_run import Findings, Tally
from pipeline.timestamps import MINUTE, Span, to_ms, to_text


class EventType:
    """Owns what happens to one event type in one sync: its progress, which the state keeps, its
    tally, its ledger and its reader. Nobody else changes them. `progress` is what an earlier sync
    has saved (None: no sync has read the type).
    """

    def __init__(self, run: Run, name: str, progress: Progress | None = None):
        self.run, self.name = run, name
        self.is_known = self.is_saved = progress is not None  # to earlier syncs; in the state
        self.progress = progress or self._no_progress()
        self.tally = Tally(self.progress.occurred)
        self.is_reached = False  # whether the tally is this sync's
        self._yields = True  # to the event types that wait, when HubSpot fails at this one
        self._opened: tuple[Span, Reader, float] | None = None  # before its turn

    # What a sync does with it

    def open(self) -> None:
        """Sends its first request ahead of its turn, while another type is delivered."""
        if self._opened is None and spans.gap_span(self.progress, self._start) is None:
            self._open()

    def _open(self) -> tuple[Span, Reader, float]:
        if self._opened is None:
            self._opened = (self._main_begin(), None), self._reader(), time.monotonic()
            span, reader, _ = self._opened
            reader.__enter__().open(span)
        return self._opened

    def close(self) -> None:
        """Ends the requests that were sent ahead of its turn."""
        if self._opened is not None:
            _, reader, _ = self._opened
            self._opened = None
            reader.__exit__()

    def sync(self, yields: bool = False) -> None:
        """Delivers the gap that a start date moved earlier has left, then everything after the
        cursor, then what is to be read again. If it `yields`, it gives up soon when HubSpot fails.
        """
        if self._opened and self._opened[1].has_given_up():
            self.close()  # ahead of its turn, it gave up soon
        self._yields = yields
        tally = self.begin()
        outcome = "failed"
        try:
            self._sync_gap()
            self._sync_main()
            self._sync_again()
            outcome = "complete"
        except HubSpotError as error:
            outcome = "refused" if isinstance(error, Refused) else "failed"
            tally.error = str(error)
            raise
        finally:
            self.close()
            self._yields = True
            after = self.progress
            until = after.read_at if outcome == "complete" else spans.delivered_until(after)
            tally.end(outcome, until, self.run.client.clock.now())
            rows, time_taken = format_rows(tally.events), format_duration(tally.seconds)
            self.run.sink.log(
                f"{self.name}: {outcome}, {rows} in {time_taken}, cursor {tally.cursor_after or 'none yet'}."
            )

    def begin(self) -> Tally:
        """Begins its tally, or continues it."""
        if not self.is_reached:
            self.tally, self.is_reached = Tally(self.progress.occurred), True
        self.tally.started, self.tally.error = time.monotonic(), None
        return self.tally

    def skip(self, why: str | None) -> None:
        """Notes that this sync does not ask for it. If it could be read before, it lags."""
        if (until := spans.delivered_until(self.progress)) is not None:
            tally = self.begin()
            tally.error = why
            tally.end("refused", until, self.run.client.clock.now())

    def restart(self) -> None:
        """Forgets how far it was delivered: its history is read again."""
        self._change(self._no_progress())

    def forget(self) -> None:
        """Leaves it out of the state."""
        self.progress, self.is_saved = self._no_progress(), False

    # What its looks need of it (audits/subject.py)

    @property
    def findings(self) -> Findings:
        return self.tally.found

    def delivered(self) -> tuple[int, int, int] | None:
        """The range that is delivered, up to where the next sync begins to read (ms), and the
        cursor; None: nothing is.
        """
        progress = self.progress
        if progress.occurred is None:
            return None
        end, _ = self._main_span()
        return to_ms(progress.start_date or progress.occurred), end, to_ms(progress.occurred)

    def saved(self) -> Saved:
        progress = self.progress
        silence = (progress.silent_at, progress.silent_until)
        return Saved(progress.ledger, *(None if text is None else to_ms(text) for text in silence))

    def keep(self, new: Saved) -> None:
        at, until = (None if ms is None else to_text(ms) for ms in new[1:])
        self._change(replace(self.progress, ledger=new.ledger, silent_at=at, silent_until=until))

    def write(
        self,
        span: tuple[int, int],
        wanted: Callable[[Any], bool],
        observe: Callable[[Any], None],
        advance: Callable[[int], None],
    ) -> None:
        """Delivers the wanted events of a span. Does not save: looks do, once everything is written
        that they account for.
        """
        with self._reader() as reader:
            deliver(Delivery(self, reader, span, advance, observe, wanted=wanted, saves=False))

    # Its time ranges

    def _sync_gap(self) -> None:
        """Delivers the gap that a start date moved earlier has left."""
        start = self._start
        if gap := spans.gap_span(self.progress, start):
            begin, end = gap
            ledger = Ledger(self.run.site, self, begin, end)

            def advance(position: int) -> None:
                self._step(spans.advance_gap, start, position)
                ledger.close(min(position, end))

            since = start if begin > start else None
            try:
                with self._reader() as reader:
                    deliver(Delivery(self, reader, gap, advance, ledger.add, ledger.keep, since))
                ledger.close(end)
            finally:
                ledger.keep()
            self._step(spans.finish_gap, start)

    def _sync_main(self) -> None:
        """Delivers everything from the cursor on; a ledger counts it, for later looks."""
        # silence there was not read on two days
        if spans.begins_earlier(self.progress, self._start):
            self._change(replace(self.progress, silent_at=None, silent_until=None))
        span, reader, began = self._open()
        site, start, clock = self.run.site, self._start, self.run.client.clock
        since = spans.resumed_since(self.progress, start)
        before = partial(self._before, began)
        ledger = Ledger(site, self, span[0], before=before)

        def advance(position: int) -> None:
            self._step(spans.advance, start, position, clock.earlier(began))
            ledger.close(self._next_begin(span[0]))

        try:
            deliver(Delivery(self, reader, span, advance, ledger.add, ledger.keep, since))
            self._step(spans.finish, start, clock.earlier(began))
            ledger.close(self._next_begin(span[0]))
        finally:
            ledger.keep()
        note_silence(site, self, clock.earlier(began))

    def _sync_again(self) -> None:
        """Delivers the range that is read again by request. It was counted when it was delivered
        first; what differs by now is looked for at the end of the sync.
        """
        if self.progress.again_from is None:
            return
        if again := spans.again_span(self.progress, self._start):
            advance = partial(self._step, spans.advance_again)
            with self._reader() as reader:
                deliver(Delivery(self, reader, again, advance))
            make_due(self.run.site, self, again)
        self._step(spans.finish_again)

    def _reader(self) -> Reader:
        run, began = self.run, time.monotonic()
        settings, clock = run.settings, run.client.clock
        lookback = max(settings.lookback, MINUTE)
        return Reader(
            partial(fetch_page, run.client, query_for(settings, self.name), yields=lambda: self._yields),
            clock.later,
            settings.concurrency,
            settings.start,
            warn=partial(run.warnings.add, Topic.ORDER),
            settled=lambda: clock.earlier(began) - lookback,
            pool=run.pool,
        )

    # Its progress

    @property
    def _start(self) -> int:
        return self.run.settings.start

    def _no_progress(self) -> Progress:
        return Progress(fingerprint=self.run.settings.fingerprint(self.name))

    def _change(self, progress: Progress) -> None:
        self.progress, self.is_saved = progress, True

    def _step(self, change: Callable[..., Progress], *arguments: Any) -> None:
        """Changes the progress, in memory: it is saved with the next checkpoint."""
        self._change(change(self.progress, *arguments))
        self.tally.cursor_after = self.progress.occurred

    def _main_span(self) -> Span:
        settings, now = self.run.settings, self.run.client.clock.earlier()
        return spans.main_span(self.progress, settings.start, settings.lookback, now)

    def _main_begin(self) -> int:
        """Where this sync begins to read after the cursor (ms)."""
        return begin_of(self.run.site, self, self._main_span()[0])

    def _next_begin(self, begin: int) -> int:
        """Where the next sync begins to read (ms); `begin` if nothing is delivered."""
        delivered = self.delivered()
        return delivered[1] if delivered else begin

    def _before(self, began: float) -> int:
        """Where the next sync begins to read at the latest (ms), given when this one began
        (monotonic seconds).
        """
        return self.run.client.clock.earlier(began) - self.run.settings.lookback
