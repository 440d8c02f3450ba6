from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dequeuer.sinks.s3 import tries as s3_tries
from tests.fakes import Recorder
from tests.sinks.fake_s3 import FakeS3, fake_s3


@pytest.fixture
async def s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeS3]:
    """S3 in memory, behind a socket; the pauses between tries are short."""
    monkeypatch.setattr(s3_tries, "FIRST_WAIT_S", 0.001)
    async with fake_s3() as fake:
        yield fake


@pytest.fixture
def seen() -> Recorder:
    return Recorder()
