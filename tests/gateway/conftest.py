from __future__ import annotations

import pytest

from tests.gateway.fakes import FakeQueue, Store


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def queue(store: Store) -> FakeQueue:
    return FakeQueue(store)
