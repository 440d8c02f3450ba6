"""Keys are renewed in the background: requests wait only while there are no valid keys."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from dequeuer.aws.credentials.renewal import (
    UNKNOWN_EXPIRY_RENEWAL_INTERVAL_S,
    WAIT_S,
    CredentialsCache,
    FrozenKeys,
    Keys,
)
from dequeuer.core.errors import CredentialsMissingError, CredentialsUnavailableError
from dequeuer.core.events import CredentialsRenewalFailed, CredentialsRenewed
from dequeuer.sources.sqs.source import CALL_TIMEOUT_S
from tests.fakes import Recorder

HOUR_S = 3600.0
pytestmark = pytest.mark.looptime


class Provider:
    """Returns or raises what the test sets. `asked`: loop times of the calls."""

    def __init__(self, lifetime_s: float | None = HOUR_S) -> None:
        self.lifetime_s = lifetime_s
        self.error: Exception | None = None
        self.hangs = False
        self.asked: list[float] = []

    async def get_frozen_credentials(self) -> FrozenKeys:
        self.asked.append(asyncio.get_running_loop().time())
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return keys(f"AKID{len(self.asked)}", self.lifetime_s)


def keys(access_key: str, lifetime_s: float | None = HOUR_S) -> Keys:
    ends = None if lifetime_s is None else time.time() + lifetime_s
    return Keys(access_key=access_key, secret_key="secret", token="token", expires_at=ends, lifetime_s=lifetime_s)


@asynccontextmanager
async def renewed(provider: Any, seen: Recorder | None = None) -> AsyncIterator[CredentialsCache]:
    cache = CredentialsCache(provider, provider="web_identity", jitter=lambda: 1.0)
    if seen is not None:
        cache.observer = seen
    try:
        yield cache
    finally:
        await cache.close()


def now() -> float:
    return asyncio.get_running_loop().time()


async def use(cache: CredentialsCache) -> str:
    """Return the access key as a request would use it; check that it did not wait."""
    before = now()
    await cache.wait_until_valid()
    assert now() == before
    return cache.current().access_key


async def test_keys_are_renewed_15_minutes_before_they_expire_and_no_request_waits() -> None:
    provider = Provider()
    async with renewed(provider) as cache:
        for _ in range(100):
            await cache.wait_until_valid()
        assert cache.current().access_key == "AKID1"
        await asyncio.sleep(HOUR_S - 900 - 1)
        assert await use(cache) == "AKID1"
        await asyncio.sleep(2)
        assert await use(cache) == "AKID2"
        assert provider.asked == [0, HOUR_S - 900]


@pytest.mark.parametrize(("lifetime_s", "after_s"), [(900, 450), (60, 30), (1800, 900), (6 * HOUR_S, 6 * HOUR_S - 900)])
async def test_keys_that_live_shortly_are_renewed_after_half_of_their_life(lifetime_s: float, after_s: float) -> None:
    provider = Provider(lifetime_s)
    async with renewed(provider) as cache:
        await cache.wait_until_valid()
        await asyncio.sleep(after_s + 1)
        assert await use(cache) == "AKID2"
        assert provider.asked == [0, after_s]


class SameKeys:
    """Returns the same keys until they expire."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def get_frozen_credentials(self) -> FrozenKeys:
        self.asked.append(now())
        return keys("AKID", 60 - now())


async def test_a_provider_that_keeps_its_keys_until_they_end_is_not_asked_ever_more_often() -> None:
    provider = SameKeys()
    async with renewed(provider) as cache:
        await cache.wait_until_valid()
        await asyncio.sleep(60)
        pauses = [after - before for before, after in pairwise(provider.asked)]
        assert min(pauses) >= 0.5
        assert len(provider.asked) < 12


async def test_pods_that_were_started_together_do_not_renew_together() -> None:
    provider = Provider()
    caches = [CredentialsCache(provider) for _ in range(20)]
    for cache in caches:
        await cache.wait_until_valid()
    await asyncio.sleep(HOUR_S - 899)
    asked = sorted(provider.asked[20:])
    assert len(asked) == 20
    assert asked[-1] - asked[0] > 60
    for cache in caches:
        await cache.close()


async def test_long_lived_keys_are_asked_for_once() -> None:
    provider = Provider(None)
    async with renewed(provider) as cache:
        await cache.wait_until_valid()
        await asyncio.sleep(100 * HOUR_S)
        assert await use(cache) == "AKID1"


async def test_a_provider_that_hangs_delays_no_request_while_the_keys_are_valid() -> None:
    provider, seen = Provider(), Recorder()
    async with renewed(provider, seen) as cache:
        await cache.wait_until_valid()
        provider.hangs = True
        await asyncio.sleep(HOUR_S - 900 + 1)
        while now() < HOUR_S - 1:
            assert await use(cache) == "AKID1"
            await asyncio.sleep(7)
        failures = [event for event in seen.events if isinstance(event, CredentialsRenewalFailed)]
        assert len(failures) > 5
        assert {failure.reason for failure in failures} == {"no response in time"}
        assert failures[0].valid_for_s == pytest.approx(900 - 60, abs=1)


async def test_keys_that_have_ended_are_waited_for_in_bounds() -> None:
    provider = Provider()
    async with renewed(provider) as cache:
        await cache.wait_until_valid()
        provider.hangs = True
        await asyncio.sleep(HOUR_S + 1)
        before = now()
        outcomes = await asyncio.gather(*[cache.wait_until_valid() for _ in range(100)], return_exceptions=True)
        assert now() - before == WAIT_S
        assert {type(outcome) for outcome in outcomes} == {CredentialsUnavailableError}
        assert "are valid any more: no response in time" in str(outcomes[0])
        provider.hangs = False
        await asyncio.sleep(100)
        assert (await use(cache)).startswith("AKID")


async def test_waiting_requests_get_new_keys_as_soon_as_they_arrive() -> None:
    provider = Provider()
    provider.error = CredentialsUnavailableError("STS refuses")
    async with renewed(provider) as cache:
        with pytest.raises(CredentialsUnavailableError, match="could be fetched: STS refuses"):
            await cache.wait_until_valid()
        provider.error = None
        await asyncio.gather(*[cache.wait_until_valid() for _ in range(100)])
        assert provider.asked == [0, 1]


async def test_failures_are_retried_with_backoff_and_the_recovery_is_logged() -> None:
    provider, seen = Provider(), Recorder()
    async with renewed(provider, seen) as cache:
        await cache.wait_until_valid()
        provider.error = CredentialsUnavailableError("away")
        await asyncio.sleep(HOUR_S - 900 + 200)
        gaps = [later - sooner for sooner, later in zip(provider.asked[1:], provider.asked[2:], strict=False)]
        assert gaps[:7] == [1, 2, 4, 8, 16, 30, 30]
        provider.error = None
        await asyncio.sleep(31)
        assert await use(cache) != "AKID1"
    renewals = [event for event in seen.events if isinstance(event, CredentialsRenewed)]
    assert [event.is_first for event in renewals] == [True, False]
    assert renewals[0].expires_at == pytest.approx(time.time() + HOUR_S, abs=100)


async def test_missing_keys_are_reported_at_once_and_looked_up_again() -> None:
    provider = Provider()
    provider.error = CredentialsMissingError("no AWS credentials: give the pod a role")
    async with renewed(provider) as cache:
        for _ in range(3):
            with pytest.raises(CredentialsMissingError, match="give the pod a role"):
                await cache.wait_until_valid()
        assert (now(), provider.asked) == (0, [0])
        provider.error = None
        await asyncio.sleep(2)
        assert await use(cache) == "AKID2"


async def test_a_first_answer_that_never_comes_is_waited_for_in_bounds() -> None:
    provider = Provider()
    provider.hangs = True
    async with renewed(provider) as cache:
        with pytest.raises(CredentialsUnavailableError, match="web_identity has not responded"):
            await cache.wait_until_valid()
        assert now() == WAIT_S


async def test_keys_that_have_ended_when_they_arrive_are_not_used() -> None:
    async with renewed(Provider(-1.0)) as cache:
        with pytest.raises(CredentialsUnavailableError, match="expired already"):
            await cache.wait_until_valid()


async def test_keys_without_an_expiry_are_fetched_again_in_the_background() -> None:
    class Chain(Provider):
        async def get_frozen_credentials(self) -> FrozenKeys:
            found = await super().get_frozen_credentials()
            return SimpleNamespace(access_key=found.access_key, secret_key="s", token=None)

    chain = Chain()
    async with renewed(chain) as cache:
        await cache.wait_until_valid()
        await asyncio.sleep(UNKNOWN_EXPIRY_RENEWAL_INTERVAL_S + 1)
        assert await use(cache) == "AKID2"
        # The SDK fails minutes before its keys expire, and does not tell when they do: AWS decides.
        chain.error = RuntimeError("away")
        await asyncio.sleep(HOUR_S)
        assert await use(cache) == "AKID2"
        chain.error, chain.hangs = None, True
        await asyncio.sleep(HOUR_S)
        assert await use(cache) == "AKID2"


async def test_an_exception_of_a_provider_is_logged_without_its_text() -> None:
    provider, seen = Provider(), Recorder()
    provider.error = RuntimeError("secret-token")
    async with renewed(provider, seen) as cache:
        with pytest.raises(CredentialsUnavailableError) as caught:
            await cache.wait_until_valid()
    assert "secret-token" not in str(caught.value) + repr(seen.events)
    assert "RuntimeError" in str(caught.value)


async def test_keys_that_aws_reports_as_expired_are_renewed_at_once_and_not_for_each_request() -> None:
    provider = Provider()
    async with renewed(provider) as cache:
        await cache.wait_until_valid()
        first = cache.current()
        assert all(await asyncio.gather(*[cache.replace(first, has_expired=True) for _ in range(100)]))
        second = cache.current()
        assert second is not first
        # The first: a request that was signed with the old keys gets its response late.
        assert await cache.replace(first, has_expired=True)
        assert not await cache.replace(second, has_expired=True)
        assert await use(cache) == "AKID2"
        assert len(provider.asked) == 2
        await asyncio.sleep(31)
        assert await cache.replace(second, has_expired=True)
        assert cache.current().access_key == "AKID3"


async def test_refused_keys_that_may_be_valid_stay_in_use_until_there_are_new_ones() -> None:
    provider = Provider()
    async with renewed(provider) as cache:
        await cache.wait_until_valid()
        first = cache.current()
        provider.hangs = True
        refused = [asyncio.create_task(cache.replace(first, has_expired=False)) for _ in range(20)]
        await asyncio.sleep(1)
        assert await use(cache) == "AKID1"  # other requests do not wait
        # The refusal is reported as one, within the time of the call that met it.
        async with asyncio.timeout(CALL_TIMEOUT_S / 2):
            assert await asyncio.gather(*refused) == [False] * 20
        assert len(provider.asked) == 2
        provider.hangs = False
        await asyncio.sleep(100)
        assert await use(cache) == "AKID3"
        assert all(await asyncio.gather(*[cache.replace(cache.current(), has_expired=False) for _ in range(20)]))
        assert await use(cache) == "AKID4"


async def test_a_report_that_keys_have_expired_counts_although_a_refusal_has_them_renewed_already() -> None:
    # S3 and SQS have different codes for the same keys.
    provider = Provider()
    async with renewed(provider) as cache:
        await cache.wait_until_valid()
        first = cache.current()
        assert (
            await asyncio.gather(*[cache.replace(first, has_expired=expired) for expired in (False, True)])
            == [True] * 2
        )
        second = cache.current()
        await asyncio.sleep(31)
        provider.error = CredentialsUnavailableError("no")
        assert not await cache.replace(second, has_expired=False)
        with pytest.raises(CredentialsUnavailableError):
            await cache.replace(second, has_expired=True)
        provider.error = None
        assert await cache.replace(second, has_expired=True)
        third = cache.current()
        await asyncio.sleep(31)
        provider.hangs = True
        refused = asyncio.create_task(cache.replace(third, has_expired=False))
        await asyncio.sleep(1)
        with pytest.raises(CredentialsUnavailableError):
            await cache.replace(third, has_expired=True)
        assert not await refused


async def test_a_provider_that_returns_the_refused_keys_again_is_no_reason_to_send_again() -> None:
    async with renewed(SameKeys()) as cache:
        await cache.wait_until_valid()
        for has_expired in (False, True):
            assert not await cache.replace(cache.current(), has_expired=has_expired)


async def test_keys_that_cannot_be_renewed_are_kept_when_aws_reports_them_as_expired() -> None:
    async with renewed(Provider(None)) as cache:
        await cache.wait_until_valid()
        await asyncio.sleep(0)
        for has_expired in (True, False):
            assert not await cache.replace(cache.current(), has_expired=has_expired)
        assert await use(cache) == "AKID1"


async def test_a_caller_that_is_cancelled_leaves_the_others_waiting() -> None:
    provider = Provider()
    provider.hangs = True
    async with renewed(provider) as cache:
        first, second = (asyncio.create_task(cache.wait_until_valid()) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.sleep(1)
        assert first.cancelled()
        assert not second.done()
        second.cancel()


def test_nothing_of_keys_is_shown() -> None:
    shown = repr(keys("AKID1")) + str(keys("AKID1"))
    assert not any(part in shown for part in ("AKID1", "secret", "token=", "'token'"))


async def test_before_the_first_fetch_there_are_none() -> None:
    with pytest.raises(CredentialsMissingError):
        CredentialsCache(Provider()).current()
