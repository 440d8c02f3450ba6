"""What the canned store says at start-up is what the sidecar wants: anything else makes every run of a row void."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.canned.http import Connection
from bench.canned.s3 import S3
from bench.canned.state import State
from bench.wire_format import BUCKET, CLUSTER
from dequeuer.clients.sdk import Aws
from dequeuer.settings import AwsSettings
from dequeuer.sinks.access import prove_access
from dequeuer.sinks.layout import workloads_prefix
from dequeuer.sinks.s3.lifecycle_xml import ensure_expiry
from tests.sinks.stores import CLIENTS, Chain, connecting, slim_endpoint

PREFIX = workloads_prefix(CLUSTER)


@asynccontextmanager
async def store() -> AsyncIterator[tuple[State, str]]:
    """Serve the canned store; yield what it sees, and its URL."""
    state = State()
    s3 = S3(state)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(s3.serve), "127.0.0.1", 0)
    try:
        yield state, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_lifecycle_rule_is_the_one_that_the_sidecar_wants(client: str) -> None:
    async with store() as (state, url):
        if client == "slim":
            endpoint = slim_endpoint(url)
            try:
                change = await ensure_expiry(endpoint, bucket=BUCKET, path_style=True, prefix=PREFIX, days=7)
            finally:
                await endpoint.close()
        else:
            aws = Aws(
                AwsSettings(region="us-east-1", endpoint_url=url, endpoint_url_sqs=None, endpoint_url_s3=None), Chain()
            )
            change = await aws.ensure_expiry(bucket=BUCKET, prefix=PREFIX, days=7)
            await aws.close()
    assert change == "unchanged"
    assert state.requests == {"GetBucketLifecycleConfiguration": 1}


@pytest.mark.parametrize("client", CLIENTS)
async def test_access_is_proved_with_requests_that_the_store_knows(client: str) -> None:
    async with store() as (state, url), connecting(client) as connect:
        await prove_access(connect(url, bucket=BUCKET), BUCKET, f"{PREFIX}api/")
    assert state.requests == {"ListObjectsV2": 1, "CreateMultipartUpload": 1, "AbortMultipartUpload": 1}
