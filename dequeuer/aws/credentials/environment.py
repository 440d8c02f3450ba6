"""Keys from environment variables. They do not change while the process runs."""

from __future__ import annotations

from collections.abc import Mapping

from dequeuer.aws.credentials.base import instant_of
from dequeuer.aws.credentials.renewal import FrozenKeys, Keys
from dequeuer.core import clock
from dequeuer.core.errors import ConfigurationError, CredentialsMissingError


class EnvironmentKeys:
    """`CredentialChain`.

    Raises:
        ConfigurationError: the secret key is missing, or the expiry is not a time.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        secret_key = environ.get("AWS_SECRET_ACCESS_KEY")
        if not secret_key:
            raise ConfigurationError(["AWS_SECRET_ACCESS_KEY: not set, while AWS_ACCESS_KEY_ID is; set both or none"])
        self._access_key = environ["AWS_ACCESS_KEY_ID"]
        self._secret_key = secret_key
        # The first is an older name; botocore, too, reads it first.
        self._token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN") or None
        self._expires_at: float | None = None
        if ends := environ.get("AWS_CREDENTIAL_EXPIRATION"):
            try:
                self._expires_at = instant_of(ends)
            except ValueError:
                text = "AWS_CREDENTIAL_EXPIRATION: not a time; give it as 2030-01-31T12:00:00Z, or remove it"
                raise ConfigurationError([text]) from None

    async def get_frozen_credentials(self) -> FrozenKeys:
        """Return the keys. Raises `CredentialsMissingError` when they have expired."""
        left_s = None if self._expires_at is None else self._expires_at - clock.wall()
        if left_s is not None and left_s <= 0:
            raise CredentialsMissingError(
                "the AWS credentials in the environment have expired (AWS_CREDENTIAL_EXPIRATION): "
                "restart with new ones, or give the pod a role"
            )
        return Keys(
            access_key=self._access_key,
            secret_key=self._secret_key,
            token=self._token,
            expires_at=self._expires_at,
            lifetime_s=left_s,
        )
