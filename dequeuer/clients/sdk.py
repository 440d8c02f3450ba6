"""The clients of the SDK: one session and one credential chain for SQS and S3."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiobotocore.session
from aiobotocore.config import AioConfig
from botocore.exceptions import (
    BotoCoreError,
    ConfigNotFound,
    InvalidConfigError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from dequeuer import __version__
from dequeuer.aws.credentials.renewal import CredentialChain, CredentialsCache, FrozenKeys, Keys
from dequeuer.aws.credentials.sdk_chain import KeyProvider
from dequeuer.clients.base import READ_TIMEOUT_S
from dequeuer.clients.regions import Regional, sqs_by_region
from dequeuer.clients.sdk_requests import adapt
from dequeuer.core import clock
from dequeuer.core.errors import ConfigurationError, CredentialsMissingError, clip
from dequeuer.core.events import Observer
from dequeuer.publishing.operations import EventBusOperations, SnsOperations
from dequeuer.settings import AwsSettings
from dequeuer.sinks.base import ObjectStore
from dequeuer.sinks.bucket_settings import BucketSettings
from dequeuer.sinks.expiry import ExpiryChange
from dequeuer.sinks.protection import UNPROTECTED
from dequeuer.sources.sqs import sdk_errors as sqs_sdk
from dequeuer.sources.sqs.operations import SqsAdminClient

if TYPE_CHECKING:
    from dequeuer.sinks.s3_sdk.store import SdkStore

_NO_KEYS = (ConfigNotFound, InvalidConfigError, NoCredentialsError, PartialCredentialsError, ProfileNotFound)
"""A retry does not help."""
CONNECT_TIMEOUT_S = 5
S3_READ_TIMEOUT_S = 30
"""For the head of a response, and for each further read of it."""
CONNECTIONS = 4096
"""More than there can be callers: two callers that each hold a stream must not wait for each other."""


class Aws:
    """`Cloud` with one session of the SDK. Nothing is sent before a client is used.

    Args:
        settings: region and endpoints.
        chain: source of the keys; None: the SDK's chain.

    Raises:
        ConfigurationError: no region is known.
    """

    translate = staticmethod(sqs_sdk.translate)

    def __init__(self, settings: AwsSettings, chain: CredentialChain | None = None) -> None:
        self._settings = settings
        self._session = aiobotocore.session.get_session()
        self._providers: Any = self._session.get_component("credential_provider")
        self._credentials: Any = None
        # The clients use the cache, as the slim ones do, so that a slow provider delays no call.
        self._keys = CredentialsCache(chain or self, provider="sdk")
        self._session.register_component("credential_provider", KeyProvider(self._keys))
        self._stores: list[SdkStore] = []
        self.region = settings.region or self._session.get_config_variable("region")
        if not self.region:
            raise ConfigurationError(["AWS_REGION: not set, and the queue's URL names no region; set it (us-west-2)"])

    def sqs(self, *, longest_wait_s: float) -> AbstractAsyncContextManager[SqsAdminClient]:
        """Return the context of an SQS client. `longest_wait_s`: longest wait time of a long poll."""

        @asynccontextmanager
        async def open_region(region: str) -> AsyncIterator[Regional]:
            read_timeout_s = READ_TIMEOUT_S + longest_wait_s
            async with self._client("sqs", region, self._settings.sqs_endpoint, read_timeout_s) as client:
                yield Regional(client, clip(urlsplit(client.meta.endpoint_url).netloc))

        return sqs_by_region(open_region, self.region)

    def sns(self, region: str) -> AbstractAsyncContextManager[SnsOperations]:
        """Return the context of an SNS client."""
        return self._client("sns", region, self._settings.sns_endpoint, READ_TIMEOUT_S)

    def event_bridge(self, region: str) -> AbstractAsyncContextManager[EventBusOperations]:
        """Return the context of a client of EventBridge."""
        return self._client("events", region, self._settings.event_bridge_endpoint, READ_TIMEOUT_S)

    def store(self, bucket: str, observer: Observer, *, is_foreign: bool = False) -> SdkStore:
        """Open a bucket. Nothing is sent yet."""
        from dequeuer.sinks.s3_sdk.bucket import SdkBucket  # noqa: PLC0415 - batch jobs do not need it
        from dequeuer.sinks.s3_sdk.store import SdkStore  # noqa: PLC0415 - likewise

        opened = SdkStore(
            SdkBucket(
                bucket,
                UNPROTECTED if is_foreign else self._settings.protection,
                lambda: self._s3(bucket, S3_READ_TIMEOUT_S),
            ),
            observer,
        )
        self._stores.append(opened)
        return opened

    async def close_store(self, store: ObjectStore) -> None:
        """Close a bucket."""
        for opened in [opened for opened in self._stores if opened is store]:
            self._stores.remove(opened)
            await opened.close()

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        """Write our lifecycle rule unless the bucket has it. Raises `StoreDeniedError`, `StoreUnavailableError`."""
        from dequeuer.sinks.s3_sdk.lifecycle import ensure_expiry  # noqa: PLC0415 - batch jobs do not need it

        async with self._s3(bucket, READ_TIMEOUT_S) as client:
            return await ensure_expiry(
                client, bucket=bucket, prefix=prefix, days=days, protection=self._settings.protection
            )

    async def has_expiry(self, *, bucket: str, prefix: str, days: int) -> bool:
        """Return whether the bucket has our lifecycle rule as `ensure_expiry` writes it. Raises like it."""
        from dequeuer.sinks.s3_sdk.lifecycle import has_expiry  # noqa: PLC0415 - only `dequeuer provision` needs it

        async with self._s3(bucket, READ_TIMEOUT_S) as client:
            return await has_expiry(
                client, bucket=bucket, prefix=prefix, days=days, protection=self._settings.protection
            )

    @asynccontextmanager
    async def bucket_settings(self, bucket: str) -> AsyncIterator[BucketSettings]:
        """Yield the settings of a bucket, which may not exist yet."""
        from dequeuer.sinks.s3_sdk.bucket import SdkBucket  # noqa: PLC0415 - likewise
        from dequeuer.sinks.s3_sdk.bucket_settings import SdkBucketSettings  # noqa: PLC0415 - likewise

        opened = SdkBucket(bucket, self._settings.protection, lambda: self._s3(bucket, S3_READ_TIMEOUT_S))
        try:
            yield SdkBucketSettings(opened)
        finally:
            await opened.close()

    def observe(self, observer: Observer) -> None:
        """Report renewals of the credentials, and their failures, to an observer."""
        self._keys.observer = observer

    async def close(self) -> None:
        """Close all stores, and stop renewing credentials."""
        for store in self._stores:
            await store.close()
        await self._keys.close()

    async def keys(self) -> FrozenKeys:
        """Return the present keys. Raises `CredentialsMissingError`, `CredentialsUnavailableError`."""
        await self._keys.wait_until_valid()
        return self._keys.current()

    async def get_frozen_credentials(self) -> FrozenKeys:
        """Return keys that are valid now. The SDK refreshes them, whatever their source."""
        try:
            if self._credentials is None:
                self._credentials = await self._providers.load_credentials()
            if self._credentials is None:
                raise CredentialsMissingError("no AWS credentials: give the pod a role, or set AWS_ACCESS_KEY_ID")
            keys: FrozenKeys = await self._credentials.get_frozen_credentials()
        except _NO_KEYS as error:
            raise CredentialsMissingError(clip(str(error))) from error
        # The SDK has no public attribute for the expiry. Without it, expired keys would be used when renewal fails.
        ends = getattr(self._credentials, "_expiry_time", None)
        if ends is None:
            return keys
        expires_at: float = ends.timestamp()
        return Keys(
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            token=keys.token,
            expires_at=expires_at,
            lifetime_s=expires_at - clock.wall(),
        )

    def _s3(self, bucket: str, read_timeout_s: float) -> AbstractAsyncContextManager[Any]:
        endpoint_url = self._settings.s3_endpoint
        # Servers other than AWS rarely have a host name for each bucket. An access point (ARN) always has one.
        by_path = endpoint_url is not None and not bucket.startswith("arn:")
        return self._client(
            "s3", self.region, endpoint_url, read_timeout_s, s3={"addressing_style": "path"} if by_path else None
        )

    @asynccontextmanager
    async def _client(
        self, service: str, region: str, endpoint_url: str | None, read_timeout_s: float, **more: Any
    ) -> AsyncIterator[Any]:
        config = AioConfig(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            # The callers retry: their retries end with the lease, and each is counted.
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            parameter_validation=False,
            tcp_keepalive=True,
            user_agent_extra=f"dequeuer/{__version__}",
            # Checksums are added to each body here; many stores do not support those that the SDK adds.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            **more,
        )
        async with AsyncExitStack() as stack:
            creating = self._session.create_client(
                service, region_name=region, endpoint_url=endpoint_url, config=config
            )
            try:
                client = await stack.enter_async_context(creating)
            except (BotoCoreError, ValueError) as error:
                raise ConfigurationError([f"AWS: no client for {service}: {clip(str(error))}"]) from error
            if service == "s3":
                adapt(client)
            yield client
