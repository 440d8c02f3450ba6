"""The present AWS keys: renewed in the background before they expire, read without waiting."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from dequeuer.core.errors import CredentialsMissingError, CredentialsUnavailableError, DequeuerError
from dequeuer.core.events import CredentialProviderName, CredentialsRenewalFailed, CredentialsRenewed, Observer, ignore
from dequeuer.core.retry import Backoff

UNKNOWN_EXPIRY_RENEWAL_INTERVAL_S = 15.0
"""Interval of renewals when the chain does not tell the expiry of its keys (the SDK's chain renews them itself)."""
RENEW_BEFORE_EXPIRY_S = 900.0
"""Keys are renewed this long before they expire, as in botocore; short-lived keys after half of their lifetime."""
RETRY_BACKOFF = Backoff(initial_s=1.0, max_s=30.0, min_share=0.5)
"""Between failed attempts to renew."""
FETCH_TIMEOUT_S = 60.0
"""For one attempt of the provider, including its own retries."""
WAIT_S = 10.0
"""How long a caller waits for valid keys."""
REFUSED_WAIT_S = 3.0
"""How long a refused request waits for other keys. With the request itself it must stay below the time limit of a call
(10 s): otherwise a refusal would look like an outage while the provider hangs."""


class FrozenKeys(Protocol):
    """Keys that sign a request."""

    @property
    def access_key(self) -> str:
        """The public part."""

    @property
    def secret_key(self) -> str:
        """The secret part."""

    @property
    def token(self) -> str | None:
        """Session token; None for long-lived keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Keys with a known expiry. `repr` shows only the expiry.

    Attributes:
        access_key: the public part.
        secret_key: the secret part.
        token: session token; None: long-lived keys.
        expires_at: seconds since the epoch, by the clock of the provider; None: never.
        lifetime_s: time to the expiry when they were fetched, by the same clock; None: they never expire.
    """

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)
    expires_at: float | None = None
    lifetime_s: float | None = None


class CredentialChain(Protocol):
    """A source of keys."""

    async def get_frozen_credentials(self) -> FrozenKeys:
        """Return keys that are valid now: `Keys`, or others whose expiry is not known.

        Raises:
            CredentialsMissingError: there are none, and a retry is not expected to help.
            CredentialsUnavailableError: the provider cannot be reached; a retry may help.
        """


class CredentialsCache:
    """Holds the present keys; reading them costs nothing.

    A background task renews them. While the present keys are valid, a provider that hangs or fails delays no request;
    when they are not, callers wait `WAIT_S` at most.

    Args:
        chain: source of the keys, first used by `wait_until_valid`.
        provider: its name, for log and metrics.
        reason: why it was chosen, for the log; may be empty.
        jitter: returns a random number from 0 to 1.
    """

    def __init__(
        self,
        chain: CredentialChain,
        *,
        provider: CredentialProviderName = "sdk",
        reason: str = "",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._chain = chain
        self._provider: CredentialProviderName = provider
        self._reason = reason
        self._jitter = jitter
        self._keys: FrozenKeys | None = None
        self._is_valid = False
        self._ends_at: float | None = None
        self._end: asyncio.TimerHandle | None = None
        self._error: DequeuerError | None = None
        self._task: asyncio.Task[None] | None = None
        self._attempt_done: asyncio.Future[None] | None = None
        self._renewal_requested = asyncio.Event()
        self._rejectable_from = -math.inf
        self.observer: Observer = ignore

    async def wait_until_valid(self) -> None:
        """Return when there are valid keys, usually at once.

        Raises:
            CredentialsMissingError: there are none.
            CredentialsUnavailableError: none could be fetched within `WAIT_S`.
        """
        if self._is_valid:
            return
        await self._wait()

    def current(self) -> FrozenKeys:
        """Return the present keys. Raises `CredentialsMissingError` before the first `wait_until_valid`."""
        if self._keys is None:
            raise CredentialsMissingError("no AWS credentials were fetched yet")
        return self._keys

    async def replace(self, keys: FrozenKeys, *, has_expired: bool) -> bool:
        """Renew the keys because AWS refused them; return whether the present ones differ, so that resending may help.

        Args:
            keys: those of the refused request.
            has_expired: AWS says so: all requests wait for new keys. Otherwise the keys may be valid for other requests
                (a proxy may have broken one signature), so they are used until there are new ones. Only the caller
                waits, `REFUSED_WAIT_S` at most.

        Raises:
            CredentialsMissingError, CredentialsUnavailableError: they have expired, and there are no new ones.
        """
        self._request_renewal(keys, has_expired=has_expired)
        if has_expired:
            await self.wait_until_valid()
        elif keys is self._keys and self._renewal_requested.is_set() and self._attempt_done is not None:
            await asyncio.wait({self._attempt_done}, timeout=REFUSED_WAIT_S)
        found = self.current()
        return (found.access_key, found.secret_key, found.token) != (keys.access_key, keys.secret_key, keys.token)

    def _request_renewal(self, keys: FrozenKeys, *, has_expired: bool) -> None:
        """Have the present keys renewed at once.

        AWS judges whether they have expired: the clock of this machine may be wrong, or may have been stopped. Does
        nothing for keys that were replaced meanwhile, for keys that cannot be renewed, and within `RETRY_BACKOFF.max_s`
        of the last such renewal: a provider that returns the same keys again is not asked for each request.
        """
        if keys is not self._keys or self._task is None or self._task.done():
            return
        now = asyncio.get_running_loop().time()
        if now >= self._rejectable_from:
            self._rejectable_from = now + RETRY_BACKOFF.max_s
            self._renewal_requested.set()
        elif self._error is None and not self._renewal_requested.is_set():
            return  # the provider has just returned the same keys
        if has_expired:
            # Also when a renewal is under way, or has failed and is repeated.
            self._is_valid = False

    async def close(self) -> None:
        """Stop renewing."""
        task, self._task = self._task, None
        if self._end is not None:
            self._end.cancel()
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _wait(self) -> None:
        if self._task is None:
            self._attempt_done = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._renew(), name="credentials")
        elif isinstance(self._error, CredentialsMissingError) and self._keys is None:
            # The next attempt comes later; waiting for it would only delay the error.
            raise CredentialsMissingError(str(self._error))
        if self._attempt_done is not None:
            await asyncio.wait({self._attempt_done}, timeout=WAIT_S)
        if self._is_valid:
            return
        if self._error is None:
            raise CredentialsUnavailableError(f"no AWS credentials yet: {self._provider} has not responded")
        if isinstance(self._error, CredentialsMissingError) and self._keys is None:
            raise CredentialsMissingError(str(self._error))
        state = "could be fetched" if self._keys is None else "are valid any more"
        raise CredentialsUnavailableError(f"no AWS credentials {state}: {self._error}")

    async def _renew(self) -> None:
        failures = 0
        while True:
            try:
                async with asyncio.timeout(FETCH_TIMEOUT_S):
                    keys = await self._chain.get_frozen_credentials()
                delay_s = self._take(keys)
            except Exception as error:  # noqa: BLE001 - after any error of the provider, the present keys stay in use
                delay_s = RETRY_BACKOFF.pause_s(failures, self._jitter)
                failures += 1
                self._fail(error)
            else:
                failures = 0
            self._notify_waiters()
            if delay_s is None:
                return
            self._renewal_requested.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._renewal_requested.wait()

    def _take(self, keys: FrozenKeys) -> float | None:
        """Use new keys; return after how many seconds they have to be renewed (None: never)."""
        loop = asyncio.get_running_loop()
        lifetime_s = keys.lifetime_s if isinstance(keys, Keys) else None
        if lifetime_s is not None and lifetime_s <= 0:
            raise CredentialsUnavailableError("the credentials that the provider returned have expired already")
        is_first = self._keys is None
        self._keys = keys
        self._is_valid = True
        self._error = None
        if self._end is not None:
            self._end.cancel()
            self._end = None
        self._ends_at = None
        if lifetime_s is not None:
            self._ends_at = loop.time() + lifetime_s
            self._end = loop.call_later(lifetime_s, self._expire)
        expires_at = keys.expires_at if isinstance(keys, Keys) else None
        self.observer(
            CredentialsRenewed(provider=self._provider, expires_at=expires_at, is_first=is_first, reason=self._reason)
        )
        if not isinstance(keys, Keys):
            return UNKNOWN_EXPIRY_RENEWAL_INTERVAL_S
        if lifetime_s is None:
            return None
        # Jitter, so that pods that were started together do not renew together.
        delay_s = max(lifetime_s - RENEW_BEFORE_EXPIRY_S, lifetime_s / 2) * (0.9 + self._jitter() / 10)
        # With a provider that returns the same keys until they expire, the intervals would become ever shorter.
        return max(delay_s, RETRY_BACKOFF.initial_s)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            error = CredentialsUnavailableError("no response in time")
        # The text of any other exception may quote what was sent or received.
        self._error = error if isinstance(error, DequeuerError) else CredentialsUnavailableError(type(error).__name__)
        left_s = None if self._ends_at is None else self._ends_at - asyncio.get_running_loop().time()
        self.observer(
            CredentialsRenewalFailed(
                provider=self._provider,
                reason=str(self._error),
                valid_for_s=(max(left_s, 0.0) if left_s is not None else None) if self._keys is not None else 0.0,
            )
        )

    def _notify_waiters(self) -> None:
        """Wake the callers that wait for the end of an attempt."""
        done, self._attempt_done = self._attempt_done, asyncio.get_running_loop().create_future()
        if done is not None and not done.done():
            done.set_result(None)

    def _expire(self) -> None:
        self._is_valid = False
