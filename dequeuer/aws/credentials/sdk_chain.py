"""Lets the SDK's clients sign with the keys of the cache."""

from __future__ import annotations

from aiobotocore.credentials import AioCredentials
from botocore.credentials import ReadOnlyCredentials

from dequeuer.aws.credentials.renewal import CredentialsCache


class KeyProvider:
    """The credential provider of a session of the SDK."""

    def __init__(self, keys: CredentialsCache) -> None:
        self._keys = keys

    async def load_credentials(self) -> AioCredentials:
        """Return credentials that read the cache each time a request is signed."""
        return _Credentials(self._keys)


class _Credentials(AioCredentials):  # type: ignore[misc]  # the SDK has no types
    def __init__(self, keys: CredentialsCache) -> None:
        super().__init__("", "")
        self._keys = keys

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the present keys.

        Raises `CredentialsMissingError`, `CredentialsUnavailableError`: the request is not sent.
        """
        await self._keys.wait_until_valid()
        keys = self._keys.current()
        return ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token)
