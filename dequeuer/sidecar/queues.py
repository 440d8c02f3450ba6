"""The queues of a sidecar: one, or several with weights, of which each has outages and refusals of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from dequeuer.clients.base import Cloud
from dequeuer.core.events import Observer
from dequeuer.core.readiness import AllOf, Condition
from dequeuer.core.refusals import HarmlessCall, Refusals
from dequeuer.settings import SidecarSettings
from dequeuer.sources.sqs.access import harmless_queue_calls, open_queue
from dequeuer.sources.sqs.operations import SqsClient
from dequeuer.sources.sqs.source import SqsSource
from dequeuer.worker.shared_poller import WeightedSource

QUEUE_ATTRIBUTES = ("ApproximateFirstReceiveTimestamp", "SenderId")
"""What the container of any queue is told of a message, besides."""


class SidecarQueues:
    """The queues that the settings name.

    Args:
        settings: of the sidecar.
        cloud: translates the errors of `client`.
        client: calls SQS.
        poll_wait_s: how long a receive waits for the first message, whole seconds.
        held: returns how many leases are held.
        refusals: know what each queue refuses.
        observer: gets the events of all calls.
    """

    def __init__(  # noqa: PLR0913 - what the sources need
        self,
        settings: SidecarSettings,
        *,
        cloud: Cloud,
        client: SqsClient,
        poll_wait_s: int,
        held: Callable[[], int],
        refusals: Refusals,
        observer: Observer,
    ) -> None:
        several = settings.queue_urls
        self._urls = [queue.url for queue in several] or [settings.queue_url]
        self._weights = [queue.weight for queue in several]
        self.sources = [
            SqsSource(
                client,
                translate=cloud.translate,
                queue_url=url,
                visibility_timeout_s=settings.visibility_timeout_s,
                poll_wait_s=poll_wait_s,
                held=held,
                gathers_acks=settings.api_kind != "batch",
                system_attributes=QUEUE_ATTRIBUTES if settings.api_kind == "queue" else (),
                keeps_groups=settings.api_kind == "queue",
                is_one_of_several=bool(several),
                observer=observer,
            )
            for url in self._urls
        ]
        self._refusals = refusals
        self._opened = [Condition(is_open=False) for _ in self.sources]
        self._opening: list[asyncio.Task[None]] = []

    async def close(self) -> None:
        """Send the entries that still wait, of all queues at the same time."""
        await asyncio.gather(*(source.close() for source in self.sources))

    async def open(self) -> None:
        """Open the queues. Waits until one is open; `open_others` waits for those that are unavailable.

        Raises:
            FatalError: one is missing, or cannot be read.
        """
        if not self._weights:
            await open_queue(self.sources[0], self._urls[0])
            return
        self._opening = [asyncio.create_task(self._open(at), name="open-queue") for at in range(len(self.sources))]
        try:
            await self._wait_for_queues(any)
        except BaseException:
            await self._stop_opening()
            raise

    async def open_others(self) -> None:
        """Wait until all queues are open; until cancelled. Raises like `open`."""
        try:
            await self._wait_for_queues(all)
        finally:
            await self._stop_opening()

    async def _wait_for_queues(self, enough: Callable[[Iterable[bool]], bool]) -> None:
        left = set(self._opening)
        while left and not enough(condition.is_open for condition in self._opened):
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _open(self, at: int) -> None:
        await open_queue(self.sources[at], self._urls[at])
        self._opened[at].set(is_open=True)

    async def _stop_opening(self) -> None:
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)

    @property
    def for_worker(self) -> SqsSource | Sequence[WeightedSource]:
        """What the worker receives from."""
        if not self._weights:
            return self.sources[0]
        return [
            WeightedSource(
                source=source,
                weight=weight,
                # What is known of its redrive policy decides how a message is settled.
                readiness=AllOf(is_opened, self._refusals.may_receive_from(source.name)),
            )
            for source, weight, is_opened in zip(self.sources, self._weights, self._opened, strict=True)
        ]

    @property
    def harmless_calls(self) -> Mapping[tuple[str, str], HarmlessCall]:
        """Harmless calls of each operation; each calls the queue that refuses it."""
        if not self._weights:
            return harmless_queue_calls(self.sources[0])
        by_name = {source.name: harmless_queue_calls(source) for source in self.sources}

        def call_of(which: tuple[str, str]) -> HarmlessCall:
            return lambda queue: by_name[queue][which](queue)

        return {which: call_of(which) for which in next(iter(by_name.values()))}
