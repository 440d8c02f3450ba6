"""Stores of both S3 clients, so that the same tests run with each."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, Protocol

import boto3

from dequeuer.aws.credentials.renewal import CredentialChain, CredentialsCache, FrozenKeys
from dequeuer.aws.endpoint import AwsEndpoint, origin_of
from dequeuer.aws.signing import Signer
from dequeuer.clients.sdk import Aws
from dequeuer.core.errors import CredentialsMissingError
from dequeuer.core.events import Observer
from dequeuer.settings import AwsSettings
from dequeuer.sinks.base import ObjectStore
from dequeuer.sinks.s3.store import SlimStore, open_slim_store
from tests.fakes import Recorder

CLIENTS = ("sdk", "slim")
KEYS = SimpleNamespace(access_key="test", secret_key="test", token=None)


class Chain:
    """Credentials that a test can change."""

    def __init__(self, keys: Any = KEYS) -> None:
        self.keys = keys
        self.asked = 0

    async def get_frozen_credentials(self) -> FrozenKeys:
        self.asked += 1
        if self.keys is None:
            raise CredentialsMissingError("no AWS credentials")
        keys: FrozenKeys = self.keys
        return keys


class ClosableStore(ObjectStore, Protocol):
    """A store of either client."""

    async def close(self) -> None: ...


class Connect(Protocol):
    """Opens a bucket, which is closed at the end of the test."""

    def __call__(
        self, url: str, seen: Observer | None = None, bucket: str = "bucket", chain: CredentialChain | None = None
    ) -> ClosableStore: ...


def slim_endpoint(url: str, chain: CredentialChain | None = None, region: str = "us-east-1") -> AwsEndpoint:
    """Return an endpoint of the slim client."""
    origin = origin_of(url, ssl.create_default_context())
    return AwsEndpoint(origin, Signer("s3", region), CredentialsCache(chain or Chain()))


@asynccontextmanager
async def connecting(client: str) -> AsyncIterator[Connect]:
    """Yield a function that opens buckets with one of `CLIENTS`."""
    opened: list[SlimStore | Aws] = []

    def connect(
        url: str, seen: Observer | None = None, bucket: str = "bucket", chain: CredentialChain | None = None
    ) -> ClosableStore:
        observer = seen or Recorder()
        if client == "slim":
            store = open_slim_store(
                endpoint=slim_endpoint(url, chain), bucket=bucket, path_style=True, observer=observer
            )
            opened.append(store)
            return store
        where = AwsSettings(region="us-east-1", endpoint_url=url, endpoint_url_sqs=None, endpoint_url_s3=None)
        aws = Aws(where, chain or Chain())
        opened.append(aws)
        return aws.store(bucket, observer)

    try:
        yield connect
    finally:
        for store in opened:
            await store.close()


def boto(url: str) -> Any:
    """Return a client that sees what stores have written."""
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
