"""`Idempotency-Key` at two gateways as processes, one of which is killed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.gateway.calls import ask
from tests.integration.gateway_process import Gateway
from tests.integration.waiting import eventually

BIG = b"b" * (1 << 20)


def submit(gateway: Gateway, payload: bytes, key: str) -> tuple[int, dict[str, object]]:
    """Submit with a key; return status and document."""
    headers = {"Idempotency-Key": key, "Content-Type": "text/plain"}
    status, _, document = ask(gateway, "POST", "/api", headers, payload)
    return status, document


@pytest.mark.parametrize("payload", [b"small", BIG], ids=["small", "big"])
def test_submissions_at_two_gateways_at_once_are_one_request(gateways: list[Gateway], payload: bytes) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda at: submit(gateways[at % 2], payload, '"key"'), range(8)))
    assert {status for status, _ in answers} <= {200, 409}
    told = {str(document["id"]) for status, document in answers if status == 200}
    assert len(told) == 1

    def answered() -> str | None:
        status, document = submit(gateways[1], payload, "key")
        return str(document["id"]) if status == 200 else None

    assert {eventually(answered, "the id")} == told
    status, problem = submit(gateways[0], payload + b".", '"key"')
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


def test_the_other_gateway_answers_for_one_that_was_killed(gateways: list[Gateway]) -> None:
    status, first = submit(gateways[0], b"payload", '"key"')
    assert status == 200
    gateways[0].kill()
    assert submit(gateways[1], b"payload", '"key"') == (200, first)
