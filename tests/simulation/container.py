"""A container that responds, fails, restarts and hangs. It implements `Target` and `Probe` for one sidecar."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dequeuer.core.errors import ContainerTimeoutError, ContainerUnavailableError
from dequeuer.probes.base import ProbeResult, ProbeTiming
from tests.history.records import BROKE, ON_COMPLETE, Record
from tests.simulation.network import FaultRates
from tests.simulation.store import DELIVERY

REF_HEADER = "X-Cortex-Request-ID"
BEHAVIOURS = ("good",) * 16 + ("500", "bad_json", "flaky", "slow")
"""The response to a request: 200, 500, invalid JSON, 500 to half of the calls, or 200 up to a minute later."""


def behaviour_of(ref: str) -> str:
    """Return how the container responds to a request, one of `BEHAVIOURS`. The request's name begins with it."""
    return ref.partition("-")[0]


@dataclass(slots=True)
class SimResponse:
    """`Response`. `is_whole`: the connection does not break in the middle of the body."""

    status: int
    body: bytes = b""
    retry_after: str | None = None
    is_whole: bool = True
    content_type: str | None = "application/json"

    @property
    def size(self) -> int | None:
        return len(self.body)

    async def chunks(self) -> AsyncIterator[bytes]:
        half = len(self.body) // 2
        yield self.body[:half]
        if not self.is_whole:
            raise ContainerUnavailableError("broke off in the middle of the response")
        yield self.body[half:]

    async def discard(self) -> None:
        async for _ in self.chunks():
            pass


class RunningContainer:
    """One container. It runs until `stop`, which breaks the calls that are running. Subclasses are `Target`, too."""

    name = "sim"

    def __init__(self, *, is_up: bool, probe_periods_s: Sequence[float]) -> None:
        self._running: dict[str, asyncio.Future[None]] = {}
        self.is_up = is_up
        self.timing = ProbeTiming(period_s=random.choice(probe_periods_s), failure_threshold=1)

    async def check(self) -> ProbeResult:
        return ProbeResult(ok=self.is_up, detail="")

    def start(self) -> None:
        """Become ready, also after a stop."""
        self.is_up = True

    def stop(self) -> None:
        """Stop, as after a crash or an eviction."""
        self.is_up = False
        for work in self._running.values():
            if not work.done():
                work.set_exception(ContainerUnavailableError("the container stopped"))

    async def run_call(self, call: str, work_s: float, timeout_s: float) -> None:
        """Let a call take its time. The caller removes it from the running ones at its end.

        Raises:
            ContainerTimeoutError: that is longer than `timeout_s`.
            ContainerUnavailableError: the container was stopped meanwhile.
        """
        loop = asyncio.get_running_loop()
        work = self._running[call] = loop.create_future()
        timer = loop.call_later(min(work_s, timeout_s), finish, work)
        try:
            await work
        finally:
            timer.cancel()
        if work_s > timeout_s:
            raise ContainerTimeoutError("no complete response")


class SimContainer(RunningContainer):
    """The container of one sidecar."""

    def __init__(
        self, sidecar: str, rates: FaultRates, record: Callable[[Record], None], timeout_s: float, work_s: float
    ) -> None:
        super().__init__(is_up=True, probe_periods_s=[2.0, 10.0])
        self._sidecar = sidecar
        self._rates = rates
        self._record = record
        self._timeout_s = timeout_s
        self._work_s = work_s
        self._calls = 0

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[SimResponse]:
        whole = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
        ref = "job_complete" if path == ON_COMPLETE else dict(headers).get(REF_HEADER, whole.decode().strip('[]"'))
        self._calls += 1
        call = f"{self._sidecar}:{self._calls}"
        if not self.is_up:
            self._record_call("left", ref, path, call, status=BROKE)
            raise ContainerUnavailableError("connection refused")
        self._record_call("called", ref, path, call, body=whole)
        status = 0
        try:
            response = await self._work(ref, call)
            # Also when the response breaks off: the container has done the work, although the sidecar cannot know it.
            self._record_call("answered", ref, path, call, response=response)
            yield response
        except ContainerUnavailableError:
            status = BROKE
            raise
        finally:
            self._running.pop(call, None)
            self._record_call("left", ref, path, call, status=status)

    async def _work(self, ref: str, call: str) -> SimResponse:
        kind = behaviour_of(ref)
        work_s = random.expovariate(1 / self._work_s)
        if kind == "slow" or random.random() < self._rates.container / 4:
            work_s += random.uniform(0, 60)
        await self.run_call(call, work_s, self._timeout_s)
        return self._response(kind, call)

    def _response(self, kind: str, call: str) -> SimResponse:
        if random.random() < self._rates.container:
            if random.random() < 0.5:
                return SimResponse(random.choice([429, 503]), retry_after=random.choice([None, "0", "7"]))
            return SimResponse(200, f'{{"call": "{call}"}}'.encode(), is_whole=False)
        if kind == "500" or (kind == "flaky" and random.random() < 0.5):
            return SimResponse(500)
        if kind == "bad_json":
            return SimResponse(200, b'{"call": ')
        return SimResponse(200, f'{{"call": "{call}"}}'.encode())

    def _record_call(
        self,
        what: str,
        ref: str,
        path: str,
        call: str,
        *,
        status: int = 0,
        body: bytes = b"",
        response: SimResponse | None = None,
    ) -> None:
        self._record(
            Record(
                at=asyncio.get_running_loop().time(),
                what=what,  # type: ignore[arg-type]  # one of three literals, all in this file
                sidecar=self._sidecar,
                ref=ref,
                delivery=DELIVERY.get(),
                name=path,
                call=call,
                status=response.status if response else status,
                digest=response.body.decode() if response else body[:3].decode(),
                whole=response.is_whole if response else True,
            )
        )


def finish(work: asyncio.Future[None]) -> None:
    """End the work on a request, unless it was broken off."""
    if not work.done():
        work.set_result(None)
