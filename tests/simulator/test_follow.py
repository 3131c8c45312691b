"""The lines that the demo shows while its sync runs."""

from simulator import follow
from simulator.follow import progress_lines

HEAD = "19:52:17.444 INFO     ⚡ "
LINES = [
    f"{HEAD}sdk       debugging connector at: a folder",
    f"{HEAD}connector e_visited_page: reading from 2026-01-01T00:00:00.000Z on.",
    HEAD + ('sdk       checkpoint recorded: {"event_types": {"e_visited_page": {"occurred": "2026-02-01T00:00:00Z"}}}'),
    (f"{HEAD}connector e_visited_page: complete, 30,000 rows in 2 s, cursor 2026-04-30T23:51:16.229Z."),
    f"{HEAD}connector event type      outcome   rows",
    ("                                   e_visited_page: not at the beginning of a line of the connector"),
]
SHOWN = [
    "e_visited_page: reading from 2026-01-01T00:00:00.000Z on.",
    "checkpoint saved",
    "e_visited_page: complete, 30,000 rows in 2 s, cursor 2026-04-30T23:51:16.229Z.",
]


def test_the_lines_about_progress_are_shown_as_they_come_and_whole(monkeypatch, tmp_path):
    monkeypatch.setattr(follow, "POLL_SECONDS", 0)
    log, text = tmp_path / "debug.log", "\n".join([*LINES, ""])
    log.touch()
    pieces = [text[start : start + 37] for start in range(0, len(text), 37)]

    def is_running():
        if not pieces:
            return False
        with log.open("a", encoding="utf-8") as writer:
            writer.write(pieces.pop(0))
        return True

    assert list(progress_lines(log, is_running)) == SHOWN


def test_what_is_logged_at_the_very_end_is_shown(tmp_path):
    log = tmp_path / "debug.log"
    log.write_text("\n".join([*LINES, ""]), encoding="utf-8")
    assert list(progress_lines(log, lambda: False)) == SHOWN
