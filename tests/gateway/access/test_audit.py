from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.gateway.access.stage import Stage, access_stage, bearer, entry, make_tokens
from tests.gateway.fakes import URL
from tests.still import until_still

SECRET = {"X-Other": "s3cret", "Cookie": "s3cret"}


def lines(logs: list[Any]) -> list[dict[str, Any]]:
    return [
        {key: line[key] for key in ("caller", "action", "method", "api_name", "id", "outcome", "status")}
        for line in logs
        if line["event"] == "audit"
    ]


def line(caller: str, action: str, method: str, api: str, one: str, outcome: str, status: int) -> dict[str, Any]:
    return dict(
        zip(
            ("caller", "action", "method", "api_name", "id", "outcome", "status"),
            (caller, action, method, api, one, outcome, status),
            strict=True,
        )
    )


async def test_each_change_and_each_refusal_is_one_line() -> None:
    tokens = make_tokens(entry("web", ["text", "sum"]), entry("s3cret", ["text"], ["read"]))
    with capture_logs() as logs:
        async with access_stage(tokens, is_audited=True) as stage:
            await stage.ask("POST", "/text", bearer("web") | SECRET, b"s3cret")
            request_id = stage.queue.sent[0][1]
            await stage.ask("GET", f"/text/{request_id}", bearer("web"))  # reads change nothing
            await stage.ask("GET", "/healthz")
            await stage.ask("GET", "/no/such/path", bearer("web"))
            await stage.ask("POST", "/other", bearer("web"), b"s3cret")
            await stage.ask("GET", "/text/id1", bearer("s3cret-guess"))
            await stage.ask("DELETE", f"/text/{request_id}", bearer("web"))
            await stage.ask("PUT", "/text?action=pause", bearer("web"))
            await stage.ask("PUT", "/text/_dead-letters?action=redrive", bearer("web"))
            await stage.ask("DELETE", "/batch/sum?jobID=j1", bearer("web"))
            await stage.ask("POST", "/batch/sum", bearer("web"), b"no json")
    assert lines(logs) == [
        line("web", "submit", "POST", "text", request_id, "done", 200),
        line("web", "submit", "POST", "other", "", "refused", 403),
        line("", "read", "GET", "text", "id1", "refused", 401),
        line("web", "control", "DELETE", "text", request_id, "done", 200),
        line("web", "control", "PUT", "text", "", "failed", 409),
        line("web", "control", "PUT", "text", "", "failed", 409),
        line("web", "control", "DELETE", "sum", "j1", "failed", 400),
        line("web", "submit", "POST", "sum", "", "failed", 400),
    ]
    assert all(one["address"] == "127.0.0.1" for one in logs if one["event"] == "audit")
    assert "s3cret" not in str(logs)


async def test_a_job_is_named_by_its_id() -> None:
    with capture_logs() as logs:
        async with access_stage(None, is_audited=True) as stage:
            body = b'{"workers": 1, "item_list": {"items": [1], "batch_size": 1}}'
            status, _, _ = await stage.ask("POST", "/batch/sum", {}, body)
            assert status == 200
    (one,) = lines(logs)
    (submitted,) = [entry for entry in logs if entry["event"] == "job_submitted"]
    assert (one["id"], one["outcome"], one["caller"]) == (submitted["job_id"], "done", "")


async def test_a_client_that_leaves_is_a_line_too() -> None:
    with capture_logs() as logs:
        async with access_stage(None, is_audited=True) as stage:
            base = stage.http._base_url
            assert base is not None
            _, writer = await asyncio.open_connection(base.host, base.port)
            writer.write(b"POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")
            await writer.drain()
            writer.transport.abort()
            await until_still(lambda: len(logs))
    (one,) = lines(logs)
    assert (one["api_name"], one["outcome"] in {"failed", "abandoned"}) == ("text", True)


@pytest.mark.parametrize("path", ["/" + "a" * 5000, "/text%0a%1b[2J", "/" + "%f0%9f%98%80" * 500])
async def test_what_a_client_writes_is_bounded_and_printable(path: str) -> None:
    with capture_logs() as logs:
        async with access_stage(None, is_audited=True) as stage:
            await stage.ask("POST", path, {}, b"x")
            await stage.ask("DELETE", "/batch/sum?jobID=" + "%0a" * 2000)
    for one in lines(logs):
        for value in one.values():
            assert len(str(value)) <= 128
            assert str(value).isprintable()
    assert len(lines(logs)) == 2


async def test_it_can_be_switched_off() -> None:
    async def ask(stage: Stage) -> None:
        headers = {"X-Request-ID": "id1", "X-Cortex-API-Name": "text", "X-Cortex-Queue-URL": URL}
        await stage.ask("POST", "/", headers, b"x")

    with capture_logs() as logs:
        async with access_stage(None) as stage:
            await ask(stage)
        assert lines(logs) == []
        async with access_stage(None, is_audited=True) as stage:
            await ask(stage)
    assert [one["id"] for one in lines(logs)] == ["id1"]
