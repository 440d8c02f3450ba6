"""A container that works, fails, restarts and hangs, as one sidecar sees it: `Target` and `Probe`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dequeuer.core.errors import ContainerTimeoutError, ContainerUnavailableError
from dequeuer.probes.base import ProbeResult, ProbeTiming
from tests.history.records import BROKE, ON_COMPLETE, Record
from tests.simulation.store import DELIVERY
from tests.simulation.weather import Weather

REF_HEADER = "X-Cortex-Request-ID"
NATURES = ("good",) * 16 + ("bad", "nonsense", "moody", "slow")


def nature(ref: str) -> str:
    """Return how a request fares whenever it reaches a container: in its name."""
    return ref.partition("-")[0]


@dataclass(slots=True)
class SimAnswer:
    """`Answer`."""

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
            raise ContainerUnavailableError("broke off in the middle of the answer")
        yield self.body[half:]

    async def discard(self) -> None:
        async for _ in self.chunks():
            pass


class SimContainer:
    """One container. It is up until `stop`; work that runs then breaks off."""

    name = "sim"

    def __init__(
        self, sidecar: str, weather: Weather, tell: Callable[[Record], None], timeout_s: float, work_s: float
    ) -> None:
        self._sidecar = sidecar
        self._weather = weather
        self._tell = tell
        self._timeout_s = timeout_s
        self._work_s = work_s
        self._running: dict[str, asyncio.Future[None]] = {}
        self._calls = 0
        self.is_up = True
        self.timing = ProbeTiming(period_s=random.choice([2.0, 10.0]), failure_threshold=1)

    async def check(self) -> ProbeResult:
        return ProbeResult(ok=self.is_up, detail="")

    def stop(self) -> None:
        """Go down: a crash, an eviction."""
        self.is_up = False
        for work in self._running.values():
            if not work.done():
                work.set_exception(ContainerUnavailableError("the container went down"))

    def start(self) -> None:
        """Be up again."""
        self.is_up = True

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[SimAnswer]:
        whole = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
        ref = "job_complete" if path == ON_COMPLETE else dict(headers).get(REF_HEADER, whole.decode().strip('[]"'))
        self._calls += 1
        call = f"{self._sidecar}:{self._calls}"
        if not self.is_up:
            self._record("left", ref, path, call, status=BROKE)
            raise ContainerUnavailableError("connection refused")
        self._record("called", ref, path, call)
        status = 0
        try:
            answer = await self._work(ref, call)
            # A broken-off answer was given all the same: the work is done, only nobody has heard of it whole.
            self._record("answered", ref, path, call, answer=answer)
            yield answer
        except ContainerUnavailableError:
            status = BROKE
            raise
        finally:
            self._running.pop(call, None)
            self._record("left", ref, path, call, status=status)

    async def _work(self, ref: str, call: str) -> SimAnswer:
        kind = nature(ref)
        takes_s = random.expovariate(1 / self._work_s)
        if kind == "slow" or random.random() < self._weather.dull / 4:
            takes_s += random.uniform(0, 60)
        loop = asyncio.get_running_loop()
        work = self._running[call] = loop.create_future()
        timer = loop.call_later(min(takes_s, self._timeout_s), _finish, work)
        try:
            await work
        finally:
            timer.cancel()
        if takes_s > self._timeout_s:
            raise ContainerTimeoutError("no complete response")
        return self._answer(kind, call)

    def _answer(self, kind: str, call: str) -> SimAnswer:
        if random.random() < self._weather.dull:
            if random.random() < 0.5:
                return SimAnswer(random.choice([429, 503]), retry_after=random.choice([None, "0", "7"]))
            return SimAnswer(200, f'{{"call": "{call}"}}'.encode(), is_whole=False)
        if kind == "bad" or (kind == "moody" and random.random() < 0.5):
            return SimAnswer(500)
        if kind == "nonsense":
            return SimAnswer(200, b'{"call": ')
        return SimAnswer(200, f'{{"call": "{call}"}}'.encode())

    def _record(
        self, what: str, ref: str, path: str, call: str, *, status: int = 0, answer: SimAnswer | None = None
    ) -> None:
        self._tell(
            Record(
                at=asyncio.get_running_loop().time(),
                what=what,  # type: ignore[arg-type]  # one of three literals, all of this file
                sidecar=self._sidecar,
                ref=ref,
                delivery=DELIVERY.get(),
                name=path,
                call=call,
                status=answer.status if answer else status,
                digest=answer.body.decode() if answer else "",
                whole=answer.is_whole if answer else True,
            )
        )


def _finish(work: asyncio.Future[None]) -> None:
    if not work.done():
        work.set_result(None)
