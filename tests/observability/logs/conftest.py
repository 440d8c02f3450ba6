from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.observability.logs.captured import Clock, Lines, configured


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    root.handlers[:] = [handler for handler in root.handlers if not type(handler).__module__.startswith("dequeuer")]
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def lines() -> Lines:
    """Set JSON logging up; return what was written since the last call, parsed."""
    out = configured()

    def take() -> list[dict[str, Any]]:
        written = out.getvalue()
        out.seek(0)
        out.truncate()
        return [json.loads(line) for line in written.splitlines()]

    return take


@pytest.fixture
def clock() -> Clock:
    return Clock()
