"""The slim clients: a call needs a fraction of the CPU and memory of the SDK."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from dequeuer.aws.credentials import chain
from dequeuer.aws.credentials.renewal import CredentialsCache, FrozenKeys
from dequeuer.aws.endpoint import AwsEndpoint, origin_of
from dequeuer.aws.partitions import domain
from dequeuer.aws.signing import Signer
from dequeuer.clients.base import READ_TIMEOUT_S
from dequeuer.clients.bucket_endpoint import BucketEndpoint
from dequeuer.clients.regions import Regional, sqs_by_region
from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.core.events import Observer
from dequeuer.http.origin import Origin
from dequeuer.publishing.operations import EventBusOperations, SnsOperations
from dequeuer.settings import AwsSettings
from dequeuer.sinks.base import ObjectStore
from dequeuer.sinks.bucket_settings import BucketSettings
from dequeuer.sinks.expiry import ExpiryChange
from dequeuer.sinks.protection import UNPROTECTED, ObjectProtection
from dequeuer.sinks.s3.bucket import Bucket
from dequeuer.sinks.s3.store import SlimStore, open_slim_store
from dequeuer.sources.sqs import errors as sqs_errors
from dequeuer.sources.sqs.operations import SqsAdminClient
from dequeuer.sources.sqs.slim import SlimSqs


class SlimAws:
    """`Cloud`. The SDK is imported only when its credential chain is needed, or when no region is set.

    Raises:
        ConfigurationError: no region is known, or an endpoint URL is invalid.
    """

    translate = staticmethod(sqs_errors.translate)

    def __init__(self, settings: AwsSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._tls = _tls(environ.get("AWS_CA_BUNDLE"))
        self._keys, region = _keys(settings, environ, self._tls)
        self._region = region
        self._stores: list[SlimStore] = []
        self._sqs_origin(region)

    def sqs(self, *, longest_wait_s: float) -> AbstractAsyncContextManager[SqsAdminClient]:
        """Return the context of an SQS client. `longest_wait_s`: longest wait time of a long poll."""

        @asynccontextmanager
        async def open_region(region: str) -> AsyncIterator[Regional]:
            endpoint = AwsEndpoint(self._sqs_origin(region), Signer("sqs", region), self._keys)
            try:
                client = SlimSqs(endpoint, timeout_s=READ_TIMEOUT_S, longest_wait_s=longest_wait_s)
                yield Regional(client, endpoint.authority)
            finally:
                await endpoint.close()

        return sqs_by_region(open_region, self._region)

    @asynccontextmanager
    async def sns(self, region: str) -> AsyncIterator[SnsOperations]:
        """Yield an SNS client."""
        from dequeuer.publishing.sns import SlimSns  # noqa: PLC0415 - few programs need it

        async with self._endpoint("sns", region, self._settings.sns_endpoint) as endpoint:
            yield SlimSns(endpoint, timeout_s=READ_TIMEOUT_S)

    @asynccontextmanager
    async def event_bridge(self, region: str) -> AsyncIterator[EventBusOperations]:
        """Yield a client of EventBridge."""
        from dequeuer.publishing.event_bridge import SlimEventBridge  # noqa: PLC0415 - likewise

        async with self._endpoint("events", region, self._settings.event_bridge_endpoint) as endpoint:
            yield SlimEventBridge(endpoint, timeout_s=READ_TIMEOUT_S)

    @asynccontextmanager
    async def _endpoint(self, service: str, region: str, given: str | None) -> AsyncIterator[AwsEndpoint]:
        origin = origin_of(given or f"https://{service}.{region}.{domain(region)}", self._tls)
        endpoint = AwsEndpoint(origin, Signer(service, region), self._keys)
        try:
            yield endpoint
        finally:
            await endpoint.close()

    def store(self, bucket: str, observer: Observer, *, is_foreign: bool = False) -> SlimStore:
        """Open a bucket. Nothing is sent yet."""
        endpoint, path_style = self._s3(bucket)
        store = open_slim_store(
            endpoint=endpoint,
            bucket=bucket,
            path_style=path_style,
            observer=observer,
            protection=UNPROTECTED if is_foreign else self._settings.protection,
        )
        self._stores.append(store)
        return store

    def raw_bucket(self, bucket: str, protection: ObjectProtection) -> Bucket:
        """Return a bucket for requests about the bucket itself. Nothing is sent yet; the caller closes it."""
        endpoint, path_style = self._s3(bucket)
        return Bucket(endpoint, bucket, path_style=path_style, protection=protection)

    def sts(self, url: str) -> AwsEndpoint:
        """Return the endpoint of STS. Nothing is sent yet; the caller closes it. Raises `ConfigurationError`."""
        return AwsEndpoint(origin_of(url, self._tls), Signer("sts", self._region), self._keys)

    def iam(self, url: str) -> AwsEndpoint:
        """Return the endpoint of IAM, which is global. As `sts`."""
        return AwsEndpoint(origin_of(url, self._tls), Signer("iam", "us-east-1"), self._keys)

    @property
    def region(self) -> str:
        """The region of requests that name none."""
        return self._region

    @property
    def tls(self) -> ssl.SSLContext:
        """How connections are secured."""
        return self._tls

    async def keys(self) -> FrozenKeys:
        """Return the present keys. Raises `CredentialsMissingError`, `CredentialsUnavailableError`."""
        await self._keys.wait_until_valid()
        return self._keys.current()

    async def close_store(self, store: ObjectStore) -> None:
        """Close a bucket."""
        for opened in [opened for opened in self._stores if opened is store]:
            self._stores.remove(opened)
            await opened.close()

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        """Write our lifecycle rule unless the bucket has it. Raises `StoreDeniedError`, `StoreUnavailableError`."""
        from dequeuer.sinks.s3.lifecycle_xml import ensure_expiry  # noqa: PLC0415 - batch jobs do not need it

        endpoint, path_style = self._s3(bucket)
        try:
            return await ensure_expiry(
                endpoint,
                bucket=bucket,
                path_style=path_style,
                prefix=prefix,
                days=days,
                protection=self._settings.protection,
            )
        finally:
            await endpoint.close()

    async def has_expiry(self, *, bucket: str, prefix: str, days: int) -> bool:
        """Return whether the bucket has our lifecycle rule as `ensure_expiry` writes it. Raises like it."""
        from dequeuer.sinks.s3.lifecycle_xml import has_expiry  # noqa: PLC0415 - only `dequeuer provision` needs it

        endpoint, path_style = self._s3(bucket)
        try:
            protected = Bucket(endpoint, bucket, path_style=path_style, protection=self._settings.protection)
            return await has_expiry(endpoint, protected, bucket, prefix=prefix, days=days)
        finally:
            await endpoint.close()

    @asynccontextmanager
    async def bucket_settings(self, bucket: str) -> AsyncIterator[BucketSettings]:
        """Yield the settings of a bucket, which may not exist yet."""
        from dequeuer.sinks.s3.bucket_settings import SlimBucketSettings  # noqa: PLC0415 - likewise

        endpoint, path_style = self._s3(bucket)
        try:
            protection = self._settings.protection
            yield SlimBucketSettings(Bucket(endpoint, bucket, path_style=path_style, protection=protection))
        finally:
            await endpoint.close()

    async def close(self) -> None:
        """Close all stores, and stop renewing credentials."""
        for store in self._stores:
            await store.close()
        await self._keys.close()

    def observe(self, observer: Observer) -> None:
        """Report renewals of the credentials, and their failures, to an observer."""
        self._keys.observer = observer

    def _sqs_origin(self, region: str) -> Origin:
        return origin_of(self._settings.sqs_endpoint or f"https://sqs.{region}.{domain(region)}", self._tls)

    def _s3(self, bucket: str) -> tuple[BucketEndpoint, bool]:
        """Return the endpoint for a bucket, and whether the bucket name is part of the path."""
        given = self._settings.s3_endpoint
        # The certificate of S3 (*.s3...) does not cover a host name with a bucket that contains a dot.
        path_style = given is not None or "." in bucket
        start = "https://s3" if path_style else f"https://{bucket}.s3"

        def at(region: str) -> Origin:
            return origin_of(given or f"{start}.{region}.{domain(region)}", self._tls)

        return BucketEndpoint(at, self._region, self._keys), path_style


def _keys(settings: AwsSettings, environ: Mapping[str, str], tls: ssl.SSLContext) -> tuple[CredentialsCache, str]:
    """Return the credentials and the region."""
    choice = chain.choose(environ)
    if settings.region:
        provider = chain.make(choice.provider, environ, region=settings.region, tls=tls)
        if provider is not None:
            return CredentialsCache(provider, provider=choice.provider), settings.region
    from dequeuer.clients.sdk import Aws  # noqa: PLC0415 - see SlimAws

    sdk = Aws(settings)
    return CredentialsCache(sdk, provider="sdk", reason=choice.reason or "no region is set"), sdk.region


def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_bundle:
        try:
            context.load_verify_locations(ca_bundle)
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror or type(error).__name__
            raise ConfigurationError([f"AWS_CA_BUNDLE: {clip(ca_bundle)} cannot be read: {reason}"]) from error
    return context
