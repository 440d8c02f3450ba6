"""A container of a batch job: it answers for each item, and some of the items fail. `Target` and `Probe` of one worker."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from dequeuer.core.errors import ContainerTimeoutError, ContainerUnavailableError
from tests.history.job_facts import Call
from tests.history.records import ON_COMPLETE
from tests.simulation.container import RunningContainer, SimResponse
from tests.simulation.network import FaultRates
from tests.simulation.store import DELIVERY

TIMEOUT_S = 120.0
NO_RESPONSE = 0
"""The status of a call that timed out or broke off."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How the containers of a job respond. Items are known by their numbers.

    Attributes:
        has_output: a response has a result for each item.
        failing: items that are named as failed for good.
        retried: items of which half are named as failed at each try, to be tried again.
        refused: status 500 for each batch with one of them.
        refuses_completion: status 500 for the completion.
        breaks: the container cannot be started.
        work_s: mean time of a batch.
    """

    has_output: bool
    failing: frozenset[int] = frozenset()
    retried: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()
    refuses_completion: bool = False
    breaks: bool = False
    work_s: float = 0.5

    def answer(self, numbers: tuple[int, ...], call: str) -> tuple[bytes, dict[int, str]]:
        """Return the body of a response, and the results in it."""
        if not self.has_output:
            return b"", {}
        failures = [
            {"index": at, "error": "failed", "retry": number not in self.failing}
            for at, number in enumerate(numbers)
            if number in self.failing or (number in self.retried and random.random() < 0.5)
        ]
        failed = {failure["index"] for failure in failures}
        results = [None if at in failed else f"{number}/{call}" for at, number in enumerate(numbers)]
        body: Any = {"results": results, "failures": failures} if failures else results
        given = {number: json.dumps(result) for number, result in zip(numbers, results, strict=True) if result}
        return json.dumps(body).encode(), given


class JobContainer(RunningContainer):
    """The container of one worker."""

    def __init__(
        self, worker: str, behaviour: Behaviour, rates: FaultRates, record: Callable[[str, Call], None]
    ) -> None:
        """Store what decides about responses. `record` is called with the receipt of the message, and the response."""
        super().__init__(is_up=False, probe_periods_s=[1.0, 5.0])
        self._worker = worker
        self._behaviour = behaviour
        self._rates = rates
        self._record = record
        self._numbers = itertools.count()

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[SimResponse]:
        whole = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
        if not self.is_up:
            raise ContainerUnavailableError("connection refused")
        call, at = f"{self._worker}:{next(self._numbers)}", asyncio.get_running_loop().time()
        numbers = () if path == ON_COMPLETE else tuple(number_of(item) for item in json.loads(whole))
        try:
            try:
                await self._work(call)
            except (ContainerTimeoutError, ContainerUnavailableError):
                self._record(DELIVERY.get(), Call(at=at, path=path, status=NO_RESPONSE, items=numbers))
                raise
            response, results = self._respond(path, numbers, call)
            self._record(
                DELIVERY.get(),
                Call(
                    at=at,
                    path=path,
                    status=response.status,
                    items=numbers,
                    results=results,
                    may_be_cut=not response.is_whole,
                ),
            )
            yield response
        finally:
            self._running.pop(call, None)

    async def _work(self, call: str) -> None:
        work_s = random.expovariate(1 / self._behaviour.work_s)
        if random.random() < self._rates.container / 4:
            work_s += random.uniform(0, 1.2 * TIMEOUT_S)
        await self.run_call(call, work_s, TIMEOUT_S)

    def _respond(self, path: str, numbers: tuple[int, ...], call: str) -> tuple[SimResponse, dict[int, str]]:
        behaviour = self._behaviour
        if random.random() < self._rates.container / 2:
            return SimResponse(random.choice([429, 503]), retry_after=random.choice([None, "0", "7"])), {}
        is_refused = behaviour.refuses_completion if path == ON_COMPLETE else not behaviour.refused.isdisjoint(numbers)
        if is_refused:
            return SimResponse(500), {}
        body, results = behaviour.answer(numbers, call) if numbers else (b"", {})
        is_whole = random.random() >= self._rates.container / 2
        return SimResponse(200, body, is_whole=is_whole), results


def number_of(item: object) -> int:
    """Return the number of an item: itself, or the last part of a path."""
    return int(str(item).rpartition("/")[2])
