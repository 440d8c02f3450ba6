"""The clients with which a check asks AWS, and the time that each call has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from dequeuer.aws.credentials.renewal import FrozenKeys
from dequeuer.check.plan import Plan
from dequeuer.clients.choice import AwsResources, ClientName, choose
from dequeuer.clients.slim import SlimAws
from dequeuer.core.errors import SourceUnavailableError
from dequeuer.core.events import ignore
from dequeuer.settings import AwsSettings
from dequeuer.sinks.base import ObjectStore
from dequeuer.sources.sqs.operations import Json, SqsClient

if TYPE_CHECKING:  # the SDK takes time to import, and is rarely used
    from dequeuer.clients.sdk import Aws

CALL_TIMEOUT_S: Final = 8.0
"""For one call, its connection included."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccess:
    """Clients of AWS.

    Attributes:
        settings: of the program.
        cloud: the clients that the program would use.
        sqs: of any region.
        slim: for requests that only the slim clients make; None: the program would use those of the SDK.
        writes: whether calls are made that write something which they take back.
        sdk_because: why it would use those of the SDK; "" when it would not.
    """

    settings: AwsSettings
    cloud: SlimAws | Aws
    sqs: SqsClient
    slim: SlimAws | None
    sdk_because: str
    writes: bool = False

    async def keys(self) -> FrozenKeys:
        """Return the present keys. Raises `CredentialsMissingError`, `CredentialsUnavailableError`."""
        return await self.cloud.keys()

    @property
    def region(self) -> str:
        """The region of requests that name none."""
        return self.cloud.region

    async def ask_sqs(self, call: Awaitable[Json]) -> Json:
        """Return the response of SQS. Raises errors of the core; `SourceUnavailableError` after `CALL_TIMEOUT_S`."""
        try:
            return await in_time(call)
        except TimeoutError:
            raise SourceUnavailableError(f"no response within {CALL_TIMEOUT_S:g} s") from None
        except Exception as error:
            raise self.cloud.translate(error)[1] from error

    def store(self, bucket: str, *, is_foreign: bool) -> ObjectStore:
        """Open a bucket. Nothing is sent yet; it is closed with the clients."""
        return self.cloud.store(bucket, ignore, is_foreign=is_foreign)


async def in_time(call: Awaitable[T]) -> T:
    """Return what a call returns. Raises `TimeoutError` after `CALL_TIMEOUT_S`, and what the call raises."""
    async with asyncio.timeout(CALL_TIMEOUT_S):
        return await call


def _connect(settings: AwsSettings, client: ClientName, environ: Mapping[str, str]) -> SlimAws | Aws:
    if client == "slim":
        return SlimAws(settings, environ)
    from dequeuer.clients.sdk import Aws  # noqa: PLC0415 - see above

    return Aws(settings)


@asynccontextmanager
async def open_aws(
    plan: Plan, settings: AwsSettings, environ: Mapping[str, str], *, writes: bool
) -> AsyncIterator[AwsAccess]:
    """Yield the clients that the program would use. `writes`: see `AwsAccess`. Raises `ConfigurationError`."""
    urls = tuple(queue.url for queue in plan.queues)
    bucket = plan.buckets[0].name if plan.buckets else ""
    client, reasons = choose(settings, environ, AwsResources(bucket, urls))
    cloud = _connect(settings, client, environ)
    try:
        async with cloud.sqs(longest_wait_s=0) as sqs:
            yield AwsAccess(
                settings=settings,
                cloud=cloud,
                sqs=sqs,
                slim=cloud if isinstance(cloud, SlimAws) else None,
                writes=writes,
                sdk_because="" if client == "slim" else "; ".join(reasons) or "DEQUEUER_AWS_CLIENT is sdk",
            )
    finally:
        await cloud.close()
