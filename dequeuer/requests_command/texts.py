"""A request in words, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from dequeuer.client.dead_letters import DeadLetter
from dequeuer.client.request_status import Attempt, RequestStatus
from dequeuer.core import clock
from dequeuer.terminal.progress import bar, duration
from dequeuer.terminal.table import columns
from dequeuer.terminal.text import visible

LIST_HEAD: Final = ("REQUEST", "STATUS", "CREATED", "TIME", "DETAIL")
LETTERS_HEAD: Final = ("MESSAGE", "RECEIVES", "REQUEST", "STATUS", "SENT")


def list_lines(statuses: Iterable[RequestStatus]) -> list[str]:
    """Return the lines of a list of requests."""
    return columns([LIST_HEAD, *map(_list_row, statuses)], right=frozenset({3}))


def _list_row(status: RequestStatus) -> tuple[str, ...]:
    return (visible(status.id), visible(state(status)), _date(status.created), _time(status), detail(status))


def letter_lines(letters: Sequence[DeadLetter]) -> list[str]:
    """Return the lines of a list of dead letters."""
    rows = [
        (
            visible(one.message_id),
            "" if one.receives is None else f"{one.receives:,}",
            visible(one.id),
            visible(one.state),
            _date(one.sent),
        )
        for one in letters
    ]
    return columns([LETTERS_HEAD, *rows], right=frozenset({1}))


def request_lines(status: RequestStatus) -> list[str]:
    """Return the lines of all that is known of a request, but its result."""
    rows = [
        ("request", visible(status.id)),
        ("status", visible(state(status))),
        ("created", _date(status.created)),
        ("started", _date(status.started)),
        ("ended", _date(status.ended)),
        ("time", _time(status)),
        ("progress", _bar(status)),
        ("error", _error(status)),
    ]
    rows += [(f"attempt {number}", _attempt(one)) for number, one in enumerate(status.attempts, 1)]
    return columns([row for row in rows if row[1]])


def state(status: RequestStatus) -> str:
    """Return the status, and whether its cancellation was asked for."""
    return f"{status.state} (cancelling)" if status.cancel_requested and not status.has_ended else status.state


def end_line(status: RequestStatus) -> str:
    """Return a line about a request that has ended, or that changed."""
    took = f"took {_time(status)}" if status.has_ended and _time(status) else ""
    return ", ".join(filter(None, (f"{visible(status.id)}  {visible(state(status))}", took, detail(status))))


def detail(status: RequestStatus) -> str:
    """Return why a request failed, or how far it is; visible text."""
    return _error(status) or _progress(status)


def _error(status: RequestStatus) -> str:
    if status.error is None:
        return ""
    return visible(": ".join(filter(None, (status.error.code, status.error.message))))


def _progress(status: RequestStatus) -> str:
    if status.progress is None:
        return ""
    share = "" if status.progress.share is None else f"{min(status.progress.share, 1.0):.0%}"
    return visible(" ".join(filter(None, (share, status.progress.message))))


def _bar(status: RequestStatus) -> str:
    if status.progress is None or status.progress.share is None:
        return _progress(status)
    return f"{bar(min(status.progress.share, 1.0))}  {visible(status.progress.message)}".rstrip()


def _attempt(attempt: Attempt) -> str:
    code = "" if attempt.status_code is None else f"status {attempt.status_code}"
    why = ": ".join(filter(None, (attempt.code, attempt.reason)))
    parts = (attempt.outcome, why, code, attempt.worker and f"by {attempt.worker}", _date(attempt.ended))
    return visible(", ".join(filter(None, parts)))


def _date(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"


def _time(status: RequestStatus) -> str:
    if status.created is None or (status.has_ended and status.ended is None):
        return ""
    ended_s = clock.wall() if status.ended is None else status.ended.timestamp()
    return duration(ended_s - status.created.timestamp())
