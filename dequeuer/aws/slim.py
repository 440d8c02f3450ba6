"""AWS through slim clients: a fraction of the SDK's CPU and memory a call."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dequeuer.aws.base import READ_TIMEOUT_S
from dequeuer.credentials import CredentialChain, FrozenKeys, KeySnapshot
from dequeuer.errors import ConfigurationError, clip
from dequeuer.events import Observer
from dequeuer.settings import AwsSettings
from dequeuer.sinks.expiry import ExpiryChange
from dequeuer.sinks.s3_wire import WireStore, open_wire_store
from dequeuer.sources import sqs_errors
from dequeuer.sources.sqs_answers import SqsApi
from dequeuer.sources.sqs_wire import WireSqs
from dequeuer.wire.aws_endpoint import AwsEndpoint, origin_of
from dequeuer.wire.signing import Signer

_PARTITIONS = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        return "_Keys(...)"


class _Environment:
    """Keys that were given as environment variables: first in the SDK's chain, too, and they never change."""

    def __init__(self, keys: _Keys) -> None:
        self._keys = keys

    async def get_frozen_credentials(self) -> FrozenKeys:
        return self._keys


def domain(region: str) -> str:
    """Return what AWS's host names end with in a region."""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "amazonaws.com")


class SlimAws:
    """`Cloud`. The SDK is imported only when keys or region are not in the environment: it knows where else to look.

    Raises:
        ConfigurationError: no region is known, or an endpoint is none.
    """

    translate = staticmethod(sqs_errors.translate)

    def __init__(self, settings: AwsSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        chain, region = _chain(settings, environ)
        self._region = region
        self._keys = KeySnapshot(chain)
        self._tls = _tls(environ.get("AWS_CA_BUNDLE"))
        self._stores: list[WireStore] = []
        self._sqs_url = settings.sqs_endpoint or f"https://sqs.{region}.{domain(region)}"
        origin_of(self._sqs_url, self._tls)

    @asynccontextmanager
    async def sqs(self, *, longest_wait_s: float) -> AsyncIterator[SqsApi]:
        """Return the context of a client of SQS."""
        endpoint = self._endpoint(self._sqs_url, "sqs")
        try:
            yield WireSqs(endpoint, timeout_s=READ_TIMEOUT_S, longest_wait_s=longest_wait_s)
        finally:
            await endpoint.close()

    def store(self, bucket: str, observer: Observer) -> WireStore:
        """Open a bucket for objects."""
        endpoint, path_style = self._s3(bucket)
        store = open_wire_store(endpoint=endpoint, bucket=bucket, path_style=path_style, observer=observer)
        self._stores.append(store)
        return store

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        """Make sure of the bucket's lifecycle rule. Raises `StoreDeniedError`, `StoreUnavailableError`."""
        from dequeuer.sinks.lifecycle_xml import ensure_expiry  # noqa: PLC0415 - a batch job has no use for it

        endpoint, path_style = self._s3(bucket)
        try:
            return await ensure_expiry(endpoint, bucket=bucket, path_style=path_style, prefix=prefix, days=days)
        finally:
            await endpoint.close()

    async def close(self) -> None:
        """Close all stores."""
        for store in self._stores:
            await store.close()

    def _s3(self, bucket: str) -> tuple[AwsEndpoint, bool]:
        """Return the endpoint for a bucket, and whether its name stands in the path."""
        url, path_style = self._settings.s3_endpoint, True
        if url is None:
            # A dot in the name would not fit the certificate of a virtual host.
            path_style = "." in bucket
            host = f"s3.{self._region}.{domain(self._region)}"
            url = f"https://{host}" if path_style else f"https://{bucket}.{host}"
        return self._endpoint(url, "s3"), path_style

    def _endpoint(self, url: str, service: str) -> AwsEndpoint:
        return AwsEndpoint(origin_of(url, self._tls), Signer(service, self._region), self._keys)


def _chain(settings: AwsSettings, environ: Mapping[str, str]) -> tuple[CredentialChain, str]:
    access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key and settings.region:
        token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
        return _Environment(_Keys(access_key=access_key, secret_key=secret_key, token=token)), settings.region
    from dequeuer.aws.sdk import Aws  # noqa: PLC0415 - see SlimAws

    sdk = Aws(settings)
    return sdk, sdk.region


def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_bundle:
        try:
            context.load_verify_locations(ca_bundle)
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror or type(error).__name__
            raise ConfigurationError([f"AWS_CA_BUNDLE: {clip(ca_bundle)} cannot be read: {reason}"]) from error
    return context
