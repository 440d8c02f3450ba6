"""A sample job of a batch API: batches and the completion message. Their state is read from the sidecar's log."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace

from dequeuer.core.errors import clip
from dequeuer.dev.display import FINISHED, MAX_RESULT_CHARACTERS, Display, SampleRow
from dequeuer.dev.local_aws import LocalAws
from dequeuer.dev.sidecar_log import SettledLine

ITEMS_PER_BATCH = 3
REDRAW_INTERVAL_S = 0.25
_COMPLETION = "/on-job-complete"
_STATUS = {
    "succeeded": "succeeded",
    "job_completed": "completed",
    "failed": "failed",
    "rejected": "failed",
    "poison": "failed",
    "error": "failed",
}
"""The status by settlement. With any other settlement the message is in the queue again."""


@dataclass(slots=True)
class SampleJob:
    """The batches of one run. Call `on_settled` for every message that the sidecar has settled."""

    display: Display
    rows: list[SampleRow] = field(default_factory=list)
    _row_of: dict[str, int] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Whether all messages are finished."""
        return all(row.status in FINISHED for row in self.rows)

    async def enqueue(self, local_aws: LocalAws, bodies: list[str]) -> None:
        """Send the batches, then the completion message."""
        ids = await local_aws.send_batches(bodies)
        ids.append(await local_aws.send_completion())
        names = [f"batch {number} of {len(bodies)}" for number in range(1, len(bodies) + 1)]
        self._started = time.monotonic()
        self.rows = [SampleRow(name=name, status="in_queue", seconds=0.0) for name in [*names, _COMPLETION]]
        self._row_of = {message_id: number for number, message_id in enumerate(ids)}

    def on_settled(self, message: SettledLine) -> None:
        """Update the row of a settled message."""
        # The completion message gets a new id each time it is sent again: an unknown id can only be that message.
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

    async def follow(self) -> list[SampleRow]:
        """Show the rows until all messages are finished; return the final rows."""
        with self.display.live():
            self.display.show(self.rows)
            while not self.is_over:
                try:
                    async with asyncio.timeout(REDRAW_INTERVAL_S):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                self._changed.clear()
                now = time.monotonic() - self._started
                self.rows = [row if row.status in FINISHED else replace(row, seconds=now) for row in self.rows]
                self.display.show(self.rows)
        return self.rows


def batches(count: int, given: str | None) -> list[str]:
    """Return the batches as JSON arrays."""
    if given is not None:
        items = json.loads(given)
        return [given if isinstance(items, list) else json.dumps([items])] * count
    first = range(1, count * ITEMS_PER_BATCH, ITEMS_PER_BATCH)
    return [json.dumps([{"item": start + offset} for offset in range(ITEMS_PER_BATCH)]) for start in first]


def _explain(message: SettledLine) -> str:
    if message.settlement == "succeeded":
        return f"done within {message.held_s:.1f} s"
    if message.settlement == "job_completed":
        return "the container was told that the job is complete"
    return clip(message.reason or message.settlement, MAX_RESULT_CHARACTERS)
