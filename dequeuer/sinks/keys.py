"""Credentials for the store, taken from the SDK's chain."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from dequeuer.errors import StoreDeniedError, StoreUnavailableError

if TYPE_CHECKING:
    from obstore.store import S3Credential

REFRESH_S = 15.0
"""How often the chain is asked whether its keys have changed; it renews them minutes before they end."""
LIFE = timedelta(minutes=6)
"""The store's client asks again five minutes before the end of what it was given: every minute."""


class FrozenKeys(Protocol):
    """What the SDK's credentials look like once resolved."""

    access_key: str
    secret_key: str
    token: str | None


class CredentialChain(Protocol):
    """The SDK's credential chain: refreshes by itself, whatever the source of the keys."""

    async def get_frozen_credentials(self) -> FrozenKeys:
        """Return keys that are valid now; raises `StoreDeniedError` when there are none."""


class KeySnapshot:
    """Keys that can be read from any thread.

    The store's client asks for them on a thread of its own, where no event loop runs (in the middle of an
    upload, for one), so it cannot wait for the chain: it gets what was fetched before the call.
    """

    def __init__(self, chain: CredentialChain, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._chain = chain
        self._clock = clock
        self._keys: FrozenKeys | None = None
        self._due = 0.0

    async def refresh(self) -> None:
        """Ask the chain, unless it was asked a moment ago. Raises `StoreDeniedError`, `StoreUnavailableError`."""
        if self._keys is not None and self._clock() < self._due:
            return
        try:
            self._keys = await self._chain.get_frozen_credentials()
        except StoreDeniedError:
            raise
        except Exception as error:
            # The chain gives up minutes before the keys end. While it cannot be reached they are used: S3 judges.
            if self._keys is None:
                raise StoreUnavailableError(f"no AWS credentials could be fetched: {type(error).__name__}") from error
        self._due = self._clock() + REFRESH_S

    def current(self) -> S3Credential:
        """Return the keys as of the last refresh."""
        if self._keys is None:
            raise StoreDeniedError("no AWS credentials were fetched yet")
        return {
            "access_key_id": self._keys.access_key,
            "secret_access_key": self._keys.secret_key,
            "token": self._keys.token,
            "expires_at": datetime.now(UTC) + LIFE,
        }
