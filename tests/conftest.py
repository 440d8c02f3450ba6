"""What every test gets."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.certificates import self_signed
from tests.order import rank

# Property tests without time limits: the machine may be slow and busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# looptime's plugin asks the policy for a loop in tests that are not asynchronous, too, and leaves it open:
# an explicit None keeps the policy from making one.
asyncio.set_event_loop(None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of long files first."""
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of 127.0.0.1, in one file."""
    return self_signed(tmp_path_factory.mktemp("tls") / "both.pem")
