"""A roll-out loses no request, and the test would notice one."""

from __future__ import annotations

import pytest

from tests.integration.proxy.restarts import CLIENTS, roll_out

SEED = 20261127


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
async def test_no_request_fails_in_20_restarts(server: str) -> None:
    outcome = await roll_out(server, restarts=20, lanes=10, seed=SEED)
    print(outcome)
    assert outcome.failed == []
    assert outcome.restarts == 20
    assert outcome.statuses == {0: 21}
    assert min(outcome.succeeded.values()) > 20 * CLIENTS


async def test_requests_fail_when_both_end_at_once() -> None:
    outcome = await roll_out("uvicorn", restarts=2, lanes=2, seed=SEED, naive=True)
    print(outcome)
    assert outcome.failed
