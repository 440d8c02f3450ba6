"""AWS through the maintained clients: one session of the SDK, one credential chain for SQS and S3 alike."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiobotocore.session
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError

from dequeuer import __version__
from dequeuer.aws.base import READ_TIMEOUT_S
from dequeuer.credentials import FrozenKeys
from dequeuer.errors import ConfigurationError, KeysMissingError, clip
from dequeuer.events import Observer
from dequeuer.settings import AwsSettings
from dequeuer.sinks.base import Store
from dequeuer.sinks.expiry import ExpiryChange
from dequeuer.sources import sqs_sdk

CONNECT_TIMEOUT_S = 5


class Aws:
    """One session of the SDK. Nothing is sent before a client is used.

    Raises:
        ConfigurationError: no region is known.
    """

    translate = staticmethod(sqs_sdk.translate)

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._session = aiobotocore.session.get_session()
        self.region = settings.region or self._session.get_config_variable("region")
        if not self.region:
            raise ConfigurationError(["AWS_REGION: not set, and the queue's URL names no region; set it (us-west-2)"])

    def sqs(self, *, longest_wait_s: float) -> AbstractAsyncContextManager[Any]:
        """Return the context of an SQS client whose answers may take `longest_wait_s` on purpose."""
        return self._client("sqs", self._settings.sqs_endpoint, READ_TIMEOUT_S + longest_wait_s)

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        """Make sure of the bucket's lifecycle rule. Raises `StoreDeniedError`, `StoreUnavailableError`."""
        from dequeuer.sinks.lifecycle import ensure_expiry  # noqa: PLC0415 - a batch job has no use for it

        async with self._client("s3", self._settings.s3_endpoint, READ_TIMEOUT_S) as client:
            return await ensure_expiry(client, bucket=bucket, prefix=prefix, days=days)

    def observe(self, observer: Observer) -> None:
        """Do nothing: the SDK renews its credentials unseen."""

    async def close(self) -> None:
        """Nothing stays open."""

    def _client(
        self, service: str, endpoint_url: str | None, read_timeout_s: float
    ) -> AbstractAsyncContextManager[Any]:
        config = AioConfig(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            # Retries are ours: they end with the lease, and each is counted.
            retries={"total_max_attempts": 1, "mode": "standard"},
            parameter_validation=False,
            tcp_keepalive=True,
            user_agent_extra=f"dequeuer/{__version__}",
            s3={"addressing_style": "path"} if endpoint_url else None,
        )
        try:
            client: AbstractAsyncContextManager[Any] = self._session.create_client(
                service, region_name=self.region, endpoint_url=endpoint_url, config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError([f"AWS: no client for {service}: {clip(str(error))}"]) from error
        return client

    def store(self, bucket: str, observer: Observer) -> Store:
        """Open a bucket for objects."""
        from dequeuer.sinks.s3 import open_store  # noqa: PLC0415 - who wants only its credentials has no use for it

        return open_store(
            bucket=bucket,
            region=self.region,
            endpoint_url=self._settings.s3_endpoint,
            credentials=self,
            ca_bundle=os.environ.get("AWS_CA_BUNDLE"),
            observer=observer,
        )

    async def get_frozen_credentials(self) -> FrozenKeys:
        """Return keys that are valid now, refreshed by the SDK whatever their source."""
        credentials = await self._session.get_credentials()
        if credentials is None:
            raise KeysMissingError("no AWS credentials: give the pod a role, or set AWS_ACCESS_KEY_ID")
        keys: FrozenKeys = await credentials.get_frozen_credentials()
        return keys
