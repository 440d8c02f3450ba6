"""What a program needs from AWS, with either set of clients."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from dequeuer.core.events import Observer
from dequeuer.publishing.operations import EventBusOperations, SnsOperations
from dequeuer.sinks.base import ObjectStore
from dequeuer.sinks.bucket_settings import BucketSettings
from dequeuer.sinks.expiry import ExpiryChange
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.operations import SqsAdminClient, SqsClient

READ_TIMEOUT_S: Final = 10
"""For a response, in addition to the wait time of a long poll."""


class Cloud(Protocol):
    """Clients of SQS and S3 with the same credentials."""

    @property
    def translate(self) -> Translate:
        """Translates the exceptions of the SQS client."""

    def sqs(self, *, longest_wait_s: float) -> AbstractAsyncContextManager[SqsClient]:
        """Return the context of an SQS client. `longest_wait_s`: longest wait time of a long poll."""

    def sns(self, region: str) -> AbstractAsyncContextManager[SnsOperations]:
        """Return the context of an SNS client. Its exceptions are for `translate`."""

    def event_bridge(self, region: str) -> AbstractAsyncContextManager[EventBusOperations]:
        """Return the context of a client of EventBridge. Its exceptions are for `translate`."""

    def store(self, bucket: str, observer: Observer, *, is_foreign: bool = False) -> ObjectStore:
        """Open a bucket. Nothing is sent yet. `is_foreign`: it may belong to another account than ours."""

    async def close_store(self, store: ObjectStore) -> None:
        """Close a bucket that nobody uses any more, before the rest."""

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        """Write our lifecycle rule unless the bucket has it. Raises `StoreDeniedError`, `StoreUnavailableError`."""

    def observe(self, observer: Observer) -> None:
        """Report renewals of the credentials, and their failures, to an observer."""

    async def close(self) -> None:
        """Close all stores, and stop renewing credentials."""


class AdminCloud(Cloud, Protocol):
    """`Cloud`, and what sets queues and buckets up."""

    def sqs(self, *, longest_wait_s: float) -> AbstractAsyncContextManager[SqsAdminClient]:
        """Return the context of an SQS client. `longest_wait_s`: longest wait time of a long poll."""

    async def has_expiry(self, *, bucket: str, prefix: str, days: int) -> bool:
        """Return whether the bucket has our lifecycle rule as `ensure_expiry` writes it. Raises like it."""

    def bucket_settings(self, bucket: str) -> AbstractAsyncContextManager[BucketSettings]:
        """Return the context of the settings of a bucket, which may not exist yet. Nothing is sent yet."""
