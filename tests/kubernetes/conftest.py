from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kubernetes.api_server import ApiServer, api_server


@pytest.fixture
async def server(tmp_path: Path, certificate: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path / "service-account", certificate) as running:
        yield running
