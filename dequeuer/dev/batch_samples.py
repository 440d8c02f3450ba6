"""A sample job of a batch API: batches and the completion message, followed in the sidecar's log."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace

from dequeuer.core.errors import clip
from dequeuer.dev.cloud import Cloud
from dequeuer.dev.sidecar_log import Settled
from dequeuer.dev.view import FINISHED, RESULT_CHARACTERS, Row, View

ITEMS_PER_BATCH = 3
REDRAW_EVERY_S = 0.25
_COMPLETION = "/on-job-complete"
_STATUS = {
    "succeeded": "succeeded",
    "job_completed": "completed",
    "failed": "failed",
    "rejected": "failed",
    "poison": "failed",
    "error": "failed",
}
"""By settlement. All others mean that the message is in the queue again."""


@dataclass(slots=True)
class Job:
    """The batches of one run. `told` must be given every settled message of the sidecar."""

    view: View
    rows: list[Row] = field(default_factory=list)
    _row_of: dict[str, int] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Whether every message is finished."""
        return all(row.status in FINISHED for row in self.rows)

    async def enqueue(self, cloud: Cloud, bodies: list[str]) -> None:
        """Send the batches, then the message that ends the job."""
        ids = await cloud.send_batches(bodies)
        ids.append(await cloud.send_completion())
        names = [f"batch {number} of {len(bodies)}" for number in range(1, len(bodies) + 1)]
        self._started = time.monotonic()
        self.rows = [Row(name=name, status="in_queue", seconds=0.0) for name in [*names, _COMPLETION]]
        self._row_of = {message_id: number for number, message_id in enumerate(ids)}

    def told(self, message: Settled) -> None:
        """Take note of what became of a message."""
        # The completion message gets a new id whenever it is put back, so it is all that is not known.
        number = self._row_of.get(message.ref, len(self.rows) - 1)
        if number < 0 or self.rows[number].status in FINISHED:
            return
        self.rows[number] = replace(
            self.rows[number],
            status=_STATUS.get(message.settlement, "in_queue"),
            seconds=time.monotonic() - self._started,
            result=_explain(message),
        )
        self._changed.set()

    async def follow(self) -> list[Row]:
        """Show the job until every message is finished; return how they ended."""
        with self.view.live():
            self.view.show(self.rows)
            while not self.is_over:
                try:
                    async with asyncio.timeout(REDRAW_EVERY_S):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                self._changed.clear()
                now = time.monotonic() - self._started
                self.rows = [row if row.status in FINISHED else replace(row, seconds=now) for row in self.rows]
                self.view.show(self.rows)
        return self.rows


def batches(count: int, given: str | None) -> list[str]:
    """Return the batches: JSON arrays."""
    if given is not None:
        items = json.loads(given)
        return [given if isinstance(items, list) else json.dumps([items])] * count
    first = range(1, count * ITEMS_PER_BATCH, ITEMS_PER_BATCH)
    return [json.dumps([{"item": start + offset} for offset in range(ITEMS_PER_BATCH)]) for start in first]


def _explain(message: Settled) -> str:
    if message.settlement == "succeeded":
        return f"done within {message.held_s:.1f} s"
    if message.settlement == "job_completed":
        return "the container was told that the job is complete"
    return clip(message.reason or message.settlement, RESULT_CHARACTERS)
