"""Answers of servers that are broken, hostile, or no gateway."""

from __future__ import annotations

import asyncio
import json

import pytest

from dequeuer.client import answers, job_calls
from dequeuer.client.errors import (
    GatewayAbsentError,
    GatewayBusyError,
    GatewayLostError,
    InvalidAnswerError,
    RequestRefusedError,
    TooManyRequestsError,
)
from tests.client.stage import HOLD, answer, calling, canned, chunked, refusal, status_fields
from tests.jobs.stage import JOB
from tests.tcp_server import tcp_server


async def report(*responses: bytes) -> int:
    """Ask for a job until an answer is no error, or one that stays; return how many requests that took."""
    async with canned(*responses) as gateway, calling(gateway.url) as api:
        await api.report(JOB)
        return len(gateway.requests)


async def report_once(response: bytes) -> None:
    """Ask for a job once."""
    async with canned(response) as gateway, calling(gateway.url) as api:
        await api.calls.report(JOB)


OK = answer({"job_status": status_fields(), "api_spec": "x" * 10_000})


async def test_every_fault_is_told_in_its_order_and_on_one_line() -> None:
    response = refusal("workers: must be 1\n\njob submission schema can be found at https://x", "items: \t too few")
    with pytest.raises(RequestRefusedError) as caught:
        await report(response)
    assert [fault.message for fault in caught.value.faults] == [
        "workers: must be 1",
        "items: too few",
    ]
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "job.not_found", "message": "no job"},
        {"type": "about:blank", "status": 404, "detail": "no job", "kind": "job.not_found"},
        {"kind": "job.not_found", "message": "no job", "faults": "x"},
        {"kind": "job.not_found", "message": "no job", "faults": [1, {"kind": 2}, {"message": " "}]},
    ],
)
async def test_both_forms_of_errors_are_read(body: object) -> None:
    with pytest.raises(RequestRefusedError, match="no job") as caught:
        await report(answer(body, 404))
    assert caught.value.faults[0].kind == "job.not_found"


async def test_a_huge_list_of_faults_is_bounded() -> None:
    faults = [{"kind": "k", "message": "m" * 100} for _ in range(5000)]
    with pytest.raises(RequestRefusedError) as caught:
        await report(answer({"kind": "k", "message": "m", "faults": faults}, 400))
    assert len(caught.value.faults) == answers.MAX_FAULTS


async def test_a_redirect_is_not_followed() -> None:
    async with canned(OK) as other:
        moved = answer(b"", 307, Location=f"{other.url}/batch/sum")
        with pytest.raises(InvalidAnswerError, match=rf"redirects to {other.url}/batch/sum"):
            async with canned(moved) as gateway, calling(gateway.url) as api:
                await api.submit(b"{}")
        assert other.requests == []


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (answer(b"<html>", 404, "text/html"), "status 404: is it a gateway"),
        (answer(b"[1]", 500), "status 500"),
        (answer(b"welcome"), "does not answer with JSON"),
        (answer(b"\xff"), "does not answer with JSON"),
        (answer(b"[" * 100_000), "does not answer with JSON"),
        (answer([1]), "with an object"),
        (answer({"job_status": {"job_id": 1}}), "without the id"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not answer as a web server"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "not answer as a web server"),
        (b"HTTP/1.0 200 OK\r\n\r\n{", "without the length"),
    ],
)
async def test_what_is_no_gateway_is_called_so(response: bytes, text: str) -> None:
    with pytest.raises(InvalidAnswerError, match=text):
        await report(response)


async def test_a_status_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_calls, "MAX_STATUS_BYTES", 1000)
    with pytest.raises(InvalidAnswerError, match="more than 1000 bytes"):
        await report(chunked(*[b" " * 500] * 10))


@pytest.mark.usefixtures("no_pauses")
async def test_a_gateway_that_is_busy_is_asked_again() -> None:
    fields = {"kind": "error", "message": "try again"}
    assert await report(answer(fields, 503), answer(fields, 503, Retry_After="0"), OK) == 3
    with pytest.raises(GatewayBusyError, match="try again") as caught:
        await report_once(answer(fields, 503, Retry_After="7"))
    assert caught.value.retry_after_s == 7.0


@pytest.mark.usefixtures("no_pauses")
async def test_a_caller_that_sends_too_much_is_told_so_and_asked_to_wait() -> None:
    """Other than of a gateway that is busy, also a submission without a key is sent again then."""
    fields = {"code": "too_many_requests", "detail": "at most 5 a second"}
    assert await report(answer(fields, 429, Retry_After="0"), OK) == 2
    with pytest.raises(TooManyRequestsError, match="at most 5 a second") as caught:
        await report_once(answer(fields, 429, Retry_After="2"))
    assert caught.value.retry_after_s == 2.0
    with pytest.raises(GatewayBusyError) as busy:
        await report_once(answer({"code": "unavailable", "detail": "away"}, 503))
    assert not isinstance(busy.value, TooManyRequestsError)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_a_load_balancer_says_leaves_open_what_the_gateway_has_done(status: int) -> None:
    assert await report(answer(b"<html>", status, "text/html", Retry_After="0"), OK) == 2
    with pytest.raises(GatewayLostError, match=f"status {status}") as caught:
        await report_once(answer(b"<html>", status, "text/html", Retry_After="5"))
    assert caught.value.retry_after_s == 5.0


async def test_a_long_pause_that_a_server_asks_for_is_cut() -> None:
    busy = answer({"kind": "error", "message": "try again"}, 503, Retry_After="99999999999999")
    with pytest.raises(GatewayBusyError) as caught:
        await report_once(busy)
    assert caught.value.retry_after_s == answers.MAX_RETRY_AFTER_S


@pytest.mark.usefixtures("no_pauses")
async def test_an_answer_that_is_cut_off_is_no_answer() -> None:
    cut = OK[:-5]
    assert await report(cut, b"HTTP/1.1", OK) == 3
    with pytest.raises(GatewayLostError, match="broke"):
        await report_once(chunked(b'{"job_status":', whole=False))


async def test_a_server_that_does_not_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_calls, "CALL_IDLE_TIMEOUT_S", 0.05)
    with pytest.raises(GatewayLostError, match="no answer in time"):
        await report_once(HOLD)


async def test_a_server_that_sends_byte_by_byte_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_calls, "CALL_TIMEOUT_S", 3)  # some bytes have to be there in time
    sent = 0

    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(OK[:-1000])
        while True:
            writer.write(b" ")
            await writer.drain()
            sent += 1
            await asyncio.sleep(0.01)

    async with tcp_server(trickle) as port, calling(f"http://127.0.0.1:{port}") as api:
        with pytest.raises(GatewayLostError, match=r"no whole answer within 3 s"):
            await api.calls.report(JOB)
    assert sent > 1


async def test_where_nothing_listens_is_said_at_once() -> None:
    async with canned(OK) as gateway:
        url = gateway.url
    async with calling(url) as api:
        with pytest.raises(GatewayAbsentError, match=f"nothing can be reached at {url}"):
            await api.report(JOB)


async def test_a_name_that_does_not_exist_is_no_gateway() -> None:
    async with calling("http://nothing.invalid") as api:
        with pytest.raises(GatewayAbsentError, match=r"nothing\.invalid"):
            await api.report(JOB)


async def test_no_credentials_proxies_or_compressed_answers_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    cookie = answer({"job_status": status_fields()}, Set_Cookie="a=b")
    async with canned(cookie) as gateway, calling(gateway.url) as api:
        for _ in range(2):
            await api.report(JOB)
    assert "cookie" not in gateway.heads[1].lower()
    assert "Accept-Encoding: identity" in gateway.heads[0]


async def test_the_numbers_of_an_answer_keep_their_text() -> None:
    body = json.dumps({"job_status": status_fields(), "metrics": 0}).replace(
        '"metrics": 0', '"metrics": 12345678901234567890.10'
    )
    async with canned(answer(body.encode())) as gateway, calling(gateway.url) as api:
        assert str((await api.report(JOB))["metrics"]) == "12345678901234567890.10"
