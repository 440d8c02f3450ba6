"""Many payloads at a time: submits each, waits for it, and tells what has become of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from dequeuer.client.errors import ClientError, GatewayUnavailableError
from dequeuer.client.outcomes import RequestFailedError
from dequeuer.client.request_status import RequestStatus
from dequeuer.client.submission import SubmitOptions
from dequeuer.concurrency.as_completed import as_completed
from dequeuer.concurrency.in_order import each

P = TypeVar("P")

CONCURRENCY: Final = 16

Run: TypeAlias = Callable[[P], Awaitable[RequestStatus]]
"""Submits a payload, and waits until its request has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[P]):
    """What has become of a payload.

    Attributes:
        index: of the payload, from 0.
        payload: as it was given.
        status: of its request; None: it has none, or it is not known.
        error: why there is no result; None: there is one.
    """

    index: int
    payload: P
    status: RequestStatus | None = None
    error: Exception | None = None

    def result(self) -> Any:
        """Return the result. Raises the error, if there is one."""
        if self.error is not None:
            raise self.error
        assert self.status is not None  # noqa: S101 - without an error it is there
        return self.status.result()


def runner(
    run: Callable[..., Awaitable[RequestStatus]],
    timeout_s: float | None,
    key_of: Callable[[P], str] | None,
    options: SubmitOptions,
) -> Run[P]:
    """Return what is done with each payload. `run`: of `ApiRequests`; the other arguments are those of its `map`."""
    if "key" in options:
        raise ValueError("one key would make all payloads one request: give key_of")

    async def run_one(payload: P) -> RequestStatus:
        own = {"key": key_of(payload)} if key_of is not None else {}
        return await run(payload, timeout_s, **options, **own)

    return run_one


async def outcome_of(run: Run[P], index: int, payload: P) -> Outcome[P]:
    """Return what becomes of a payload. Raises `GatewayUnavailableError`: that is no error of one payload."""
    try:
        status = await run(payload)
    except GatewayUnavailableError:
        raise
    except (ClientError, TypeError, ValueError) as error:
        return Outcome(index=index, payload=payload, error=error)
    failed = RequestFailedError(status) if status.state == "failed" else None
    return Outcome(index=index, payload=payload, status=status, error=failed)


def check_concurrency(concurrency: int) -> None:
    """Raise `ValueError` for a concurrency of none."""
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; allowed: 1 or more")


async def map_payloads(
    payloads: Iterable[P] | AsyncIterable[P],
    run: Run[P],
    *,
    concurrency: int = CONCURRENCY,
    ordered: bool = True,
    stop_on_error: bool = False,
) -> AsyncGenerator[Outcome[P], None]:
    """Yield what becomes of each payload; see `ApiRequests.map`."""
    check_concurrency(concurrency)

    async def work(numbered: tuple[int, P]) -> Outcome[P]:
        return await outcome_of(run, *numbered)

    outcomes = as_completed(_numbered(payloads), work, limit=concurrency, ordered=ordered)
    async with aclosing(outcomes):
        async for outcome in outcomes:
            if stop_on_error and outcome.error is not None:
                raise outcome.error
            yield outcome


async def _numbered(payloads: Iterable[P] | AsyncIterable[P]) -> AsyncGenerator[tuple[int, P], None]:
    index = 0
    source: AsyncIterator[P] = aiter(payloads) if isinstance(payloads, AsyncIterable) else each(payloads)
    try:
        async for payload in source:
            yield index, payload
            index += 1
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()
