"""Many payloads at a time for a caller without an event loop: its payloads are read in its own thread."""

from __future__ import annotations

import concurrent.futures
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

from dequeuer.client.loop_thread import LoopThread
from dequeuer.client.mapping import Outcome, Run, check_concurrency, outcome_of

P = TypeVar("P")


def map_in_thread(  # noqa: PLR0913 - those of `ApiRequests.map`, and the thread
    thread: LoopThread,
    payloads: Iterable[P],
    run: Run[P],
    *,
    concurrency: int,
    ordered: bool,
    stop_on_error: bool,
) -> Generator[Outcome[P], None, None]:
    """Yield what becomes of each payload; see `ApiRequests.map`. Close it: it cancels the waits."""
    check_concurrency(concurrency)
    numbered = enumerate(payloads)
    begun: deque[concurrent.futures.Future[Outcome[P]]] = deque()
    has_more = True
    late: list[Exception] = []
    try:
        while True:
            while has_more and len(begun) < concurrency:
                following = _next(numbered, late)
                if following is None:
                    has_more = False
                else:
                    begun.append(thread.start(outcome_of(run, *following)))
            if not begun:
                break
            if not ordered:
                concurrent.futures.wait(begun, return_when=concurrent.futures.FIRST_COMPLETED)
            due = begun[0] if ordered else next(one for one in begun if one.done())
            outcome = thread.result(due)
            begun.remove(due)
            if stop_on_error and outcome.error is not None:
                raise outcome.error
            yield outcome
        if late:
            raise late[0]
    finally:
        for future in begun:
            future.cancel()


def _next(numbered: Iterator[tuple[int, P]], late: list[Exception]) -> tuple[int, P] | None:
    """Return the next payload; None at the end. An error is noted: the outcomes before it come first."""
    try:
        return next(numbered, None)
    except Exception as error:  # noqa: BLE001 - raised by the caller, when it is due
        late.append(error)
        return None
