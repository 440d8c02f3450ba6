"""AWS keys as they are now: fetched from the SDK's chain ahead of time, read without waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from dequeuer.errors import KeysMissingError, KeysUnavailableError

REFRESH_S = 15.0
"""How often the chain is asked whether its keys have changed; it renews them minutes before they end."""


class FrozenKeys(Protocol):
    """What the SDK's credentials look like once resolved."""

    @property
    def access_key(self) -> str:
        """The public half."""

    @property
    def secret_key(self) -> str:
        """The secret half."""

    @property
    def token(self) -> str | None:
        """Of a session; long-lived keys have none."""


class CredentialChain(Protocol):
    """The SDK's credential chain: refreshes by itself, whatever the source of the keys."""

    async def get_frozen_credentials(self) -> FrozenKeys:
        """Return keys that are valid now; raises `KeysMissingError` when there are none."""


class KeySnapshot:
    """Keys that can be read at any moment and from any thread: what was fetched by the last `refresh`."""

    def __init__(self, chain: CredentialChain, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._chain = chain
        self._clock = clock
        self._keys: FrozenKeys | None = None
        self._due = 0.0

    async def refresh(self) -> None:
        """Ask the chain, unless it was asked a moment ago. Raises `KeysMissingError`, `KeysUnavailableError`."""
        if self._keys is not None and self._clock() < self._due:
            return
        try:
            self._keys = await self._chain.get_frozen_credentials()
        except KeysMissingError:
            raise
        except Exception as error:
            # The chain gives up minutes before the keys end. While it cannot be reached they are used: AWS judges.
            if self._keys is None:
                raise KeysUnavailableError(f"no AWS credentials could be fetched: {type(error).__name__}") from error
        self._due = self._clock() + REFRESH_S

    def current(self) -> FrozenKeys:
        """Return the keys as of the last refresh."""
        if self._keys is None:
            raise KeysMissingError("no AWS credentials were fetched yet")
        return self._keys
