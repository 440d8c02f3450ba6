from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dequeuer.dev.async_samples import SampleRequests, payloads, read_report
from dequeuer.dev.display import PlainDisplay
from dequeuer.dev.errors import DevError
from dequeuer.dev.log_line import SettledLine


class Gateway:
    """Answers as the gateway does: each look at a request is one state further."""

    def __init__(self, *states: tuple[int, str]) -> None:
        self.states = states
        self.submitted: list[str] = []
        self.before_response: Callable[[], None] = lambda: None
        self._looks: dict[str, int] = {}

    async def submit(self, request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/json"
        self.submitted.append(await request.text())
        self.before_response()
        return web.json_response({"id": f"id-{len(self.submitted)}"})

    async def report(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        look = self._looks.get(name, 0)
        self._looks[name] = look + 1
        status, body = self.states[min(look, len(self.states) - 1)]
        return web.Response(status=status, text=body)


@asynccontextmanager
async def samples_of(gateway: Gateway, shown: io.StringIO) -> AsyncIterator[SampleRequests]:
    app = web.Application()
    app.router.add_post("/sample", gateway.submit)
    app.router.add_get("/sample/{id}", gateway.report)
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        yield SampleRequests(session, str(server.make_url("/sample")), PlainDisplay(shown))


def settled(ref: str, settlement: str, reason: str = "") -> SettledLine:
    return SettledLine(ref=ref, settlement=settlement, reason=reason, held_s=0.5)


async def test_samples_are_followed_until_their_result_is_there() -> None:
    gateway = Gateway(
        (200, '{"id":"x","status":"in_queue"}'),
        (503, "error: try again"),
        (200, '{"id":"x","status":"in_progress"}'),
        (200, '{"id":"x","status":"completed","result":{"n":12345678901234567890},"timestamp":"t"}'),
    )
    shown = io.StringIO()
    async with samples_of(gateway, shown) as samples:
        rows = await samples.run(["[1]", "[2]"])
    assert gateway.submitted == ["[1]", "[2]"]
    assert [(row.name, row.status, row.result) for row in rows] == [
        ("id-1", "completed", '{"n": 12345678901234567890}'),
        ("id-2", "completed", '{"n": 12345678901234567890}'),
    ]
    states = [line.split()[1] for line in shown.getvalue().splitlines() if "id-1" in line]
    assert states == ["in_queue", "in_progress", "completed"]


async def test_a_sample_that_is_settled_before_its_id_is_known_is_shown_by_its_row_only() -> None:
    gateway = Gateway((200, '{"id":"x","status":"completed","result":1,"timestamp":"t"}'))
    shown = io.StringIO()
    async with samples_of(gateway, shown) as samples:
        gateway.before_response = lambda: samples.on_settled(settled(f"id-{len(gateway.submitted)}", "completed"))
        await samples.run(["1", "2"])
    assert [line.split()[:2] for line in shown.getvalue().splitlines()] == [
        ["id-1", "in_queue"],
        ["id-2", "in_queue"],
        ["id-1", "completed"],
        ["id-2", "completed"],
    ]


async def test_requests_of_the_user_and_samples_that_are_retried_are_printed() -> None:
    gateway = Gateway((200, '{"id":"x","status":"completed","result":1,"timestamp":"t"}'))
    shown = io.StringIO()
    async with samples_of(gateway, shown) as samples:
        gateway.before_response = lambda: samples.on_settled(settled("early", "completed"))
        await samples.run(["1"])
        samples.on_settled(settled("later", "failed", "no JSON"))
        samples.on_settled(settled("id-1", "already_finished"))
        samples.on_settled(settled("id-1", "retried", "the container answered 503"))
    lines = [line.split(maxsplit=2) for line in shown.getvalue().splitlines()]
    assert [line[:2] for line in lines[:3]] == [["id-1", "in_queue"], ["early", "completed"], ["id-1", "completed"]]
    assert lines[3:] == [
        ["later", "failed", "0.5 s: no JSON"],
        ["id-1", "retried", "0.5 s: the container answered 503"],
    ]


async def test_a_failed_request_shows_why() -> None:
    gateway = Gateway((200, '{"id":"x","status":"failed","error":{"message":"the container answered 500, not 200"}}'))
    async with samples_of(gateway, io.StringIO()) as samples:
        (row,) = await samples.run(["1"])
    assert (row.status, row.result) == ("failed", "the container answered 500, not 200")


async def test_a_gateway_that_does_not_know_its_own_request_is_an_error() -> None:
    async with samples_of(Gateway((404, "error: id not found")), io.StringIO()) as samples:
        with pytest.raises(DevError, match="the gateway answered 404 for request id-1: error: id not found"):
            await samples.run(["1"])


async def test_a_gateway_that_is_gone_is_an_error() -> None:
    async with aiohttp.ClientSession() as session:
        samples = SampleRequests(session, "http://127.0.0.1:1/sample", PlainDisplay(io.StringIO()))
        with pytest.raises(DevError, match="the gateway does not answer"):
            await samples.run(["1"])


async def test_a_huge_result_is_not_read_to_its_end() -> None:
    gateway = Gateway((200, '{"id":"x","status":"completed","result":"' + "x" * 3_000_000 + '","timestamp":"t"}'))
    async with samples_of(gateway, io.StringIO()) as samples:
        (row,) = await samples.run(["1"])
    assert row.status == "completed"
    assert row.result.startswith('"xxx')
    assert len(row.result) == 72


def test_a_result_of_any_type_is_shown() -> None:
    assert read_report('{"status":"completed","result":null}') == ("completed", "null")
    assert read_report('{"status":"completed","result":"é"}') == ("completed", '"é"')
    assert read_report('{"status":"in_queue"}') == ("in_queue", "")


def test_more_attempts_than_one_are_told() -> None:
    attempts = '"attempts":[{"outcome":"retried"},{"outcome":"failed"}]'
    assert read_report(f'{{"status":"failed","error":{{"message":"no luck"}},{attempts}}}') == (
        "failed",
        "2 attempts: no luck",
    )
    assert read_report('{"status":"completed","result":1,"attempts":[{"outcome":"completed"}]}') == ("completed", "1")


def test_payloads_are_json_and_those_of_the_user_if_given() -> None:
    assert [json.loads(text)["sample"] for text in payloads(6, None)] == [1, 2, 3, 4, 5, 6]
    assert payloads(2, '{"a":1}') == ['{"a":1}', '{"a":1}']
