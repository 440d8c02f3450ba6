from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dequeuer.client
from dequeuer.client import Client, GatewayLostError
from dequeuer.core.errors import ConfigurationError
from tests.client.stage import HOLD, answer, canned

STATUS = answer({"id": "id1", "status": "in_queue"})


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEQUEUER_GATEWAY_URL", "DEQUEUER_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


async def test_address_and_token_come_from_the_variables_of_the_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("secret\n")
    monkeypatch.setenv("DEQUEUER_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("DEQUEUER_OF_ANOTHER_PROGRAM", "1")
    async with canned(STATUS) as gateway:
        monkeypatch.setenv("DEQUEUER_GATEWAY_URL", gateway.url)
        async with Client() as client:
            await client.api("api").status("id1")
        async with Client(gateway.url, token="other") as client:
            await client.api("api").status("id1")
    assert "Authorization: Bearer secret\r\n" in gateway.heads[0]
    assert "Authorization: Bearer other\r\n" in gateway.heads[1]


@pytest.mark.parametrize(("url", "fault"), [(None, "DEQUEUER_GATEWAY_URL"), ("ftp://x", "begins with http://")])
def test_without_an_address_there_is_no_client(url: str | None, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        Client(url)


@pytest.mark.parametrize("name", ["retry_limit_s", "max_result_bytes", "max_connections"])
def test_limits_that_make_no_sense_are_refused(name: str) -> None:
    options: Any = {name: -1}
    with pytest.raises(ValueError, match=f"{name} is -1; allowed"):
        Client("http://127.0.0.1:1", **options)


async def test_no_more_connections_than_wanted_are_made() -> None:
    async with canned(HOLD, STATUS) as gateway, Client(gateway.url, max_connections=1) as client:
        first = asyncio.create_task(client.api("api").status("id1"))
        await gateway.asked.wait()
        second = asyncio.create_task(client.api("api").status("id1"))
        async with Client(gateway.url) as other:
            await other.api("other").status("id1")
        assert [path for path, _ in gateway.requests] == ["GET /api/id1", "GET /other/id1"]
        first.cancel()
        assert (await second).state == "in_queue"


async def test_a_client_is_used_in_its_context() -> None:
    client = Client("http://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="use it in its `with`"):
        client.api("api")
    async with client:
        client.api("api")
        with pytest.raises(ValueError, match="not the name of an API"):
            client.api("../x")
    with pytest.raises(RuntimeError, match="use it in its `with`"):
        client.jobs("sum")


async def test_jobs_are_those_of_the_same_gateway() -> None:
    async with canned(answer({"message": "stopped"})) as gateway, Client(gateway.url) as client:
        assert await client.jobs("sum").stop("0123456789abcdef") == {"message": "stopped"}


@pytest.mark.usefixtures("no_pauses")
async def test_a_lost_answer_is_asked_for_with_the_same_key() -> None:
    in_use = answer(
        {"status": 409, "detail": "is being stored", "code": "idempotency_key_in_use"}, 409, "application/problem+json"
    )
    taken = answer({"id": "id1"})
    busy = answer(b"error: the queue is not available", 503, "text/plain", Retry_After="0")
    async with canned(b"HTTP/1.1", in_use, busy, taken) as gateway, Client(gateway.url) as client:
        request = await client.api("api").submit({"n": 1})
    assert request.id == "id1"
    assert gateway.requests == [("POST /api", b'{"n":1}')] * 4
    keys = {line for head in gateway.heads for line in head.split("\r\n") if line.startswith("Idempotency-Key")}
    assert len(keys) == 1


@pytest.mark.usefixtures("no_pauses")
async def test_without_a_key_a_lost_answer_is_not_asked_for_again() -> None:
    async with canned(answer({"id": "id1"})) as gateway, Client(gateway.url) as client:
        for send in (client.api("api").submit, client.api("api").run):
            gateway.responses.insert(0, b"HTTP/1.1")
            sent = len(gateway.requests)
            with pytest.raises(GatewayLostError):
                await send({"n": 1}, key="")
            assert len(gateway.requests) == sent + 1
    assert not any("Idempotency-Key" in head for head in gateway.heads)


def test_every_name_is_where_it_is_said_to_be() -> None:
    assert dequeuer.client.__all__ == sorted(dequeuer.client._MODULES)
    for name in dequeuer.client.__all__:
        assert getattr(dequeuer.client, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        getattr(dequeuer.client, "Nothing")  # noqa: B009 - a name that mypy would refuse


def test_importing_the_package_loads_no_http_client() -> None:
    script = "import sys, dequeuer.client, dequeuer.client.token; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
