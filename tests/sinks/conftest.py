from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from dequeuer.core.retry import Backoff
from dequeuer.sinks.s3 import retry as upload_retry
from tests.fakes import Recorder
from tests.moto_server import moto_server
from tests.sinks.fake_s3 import FakeS3, fake_s3
from tests.sinks.stores import CLIENTS, Connect, boto, connecting


@pytest.fixture
async def s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeS3]:
    """S3 in memory, behind a socket. The pauses between retries are short."""
    short = replace(upload_retry.UPLOAD_RETRIES, backoff=Backoff(initial_s=0.001, max_s=0.1))
    monkeypatch.setattr(upload_retry, "UPLOAD_RETRIES", short)
    async with fake_s3() as fake:
        yield fake


@pytest.fixture
def seen() -> Recorder:
    return Recorder()


@pytest.fixture(params=CLIENTS)
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    async with connecting(request.param) as connect:
        yield connect


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        boto(url).create_bucket(Bucket="bucket")
        yield url
