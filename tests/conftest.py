"""What every test gets."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.certificates import self_signed
from tests.order import rank
from tests.parts import part_of

# Property tests without time limits: the machine may be slow and busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# looptime's plugin asks the policy for a loop in tests that are not asynchronous, too, and leaves it open:
# an explicit None keeps the policy from making one.
asyncio.set_event_loop(None)


def pytest_configure() -> None:
    """Refuse a wrong name of a part before anything runs."""
    try:
        part_of(os.environ.get("PART", ""))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of long files first; leave those of other parts out."""
    is_selected = part_of(os.environ.get("PART", ""))
    left_out = [item for item in items if not is_selected(item.nodeid)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = sorted((item for item in items if is_selected(item.nodeid)), key=lambda item: rank(item.nodeid))


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Handle signals after a test as before it: a command that ends ignores them, and what later tests start would, too."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of 127.0.0.1, in one file."""
    return self_signed(tmp_path_factory.mktemp("tls") / "both.pem")
