from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ServerDisconnectedError
from aiohttp.test_utils import TestClient, TestServer

from dequeuer.dev.sample_container import SampleModel, make_app


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:  # type: ignore[type-arg]  # its parameters are aiohttp's own business
    async with TestClient(TestServer(make_app(SampleModel(inference_s=0)), host="127.0.0.1")) as made:
        yield made


async def test_a_request_is_echoed(client: TestClient) -> None:  # type: ignore[type-arg]  # see above
    answer = await client.post("/", json={"text": "hello"})
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert (await answer.json())["echo"] == {"text": "hello"}


async def test_a_list_without_a_job_is_a_request(client: TestClient) -> None:  # type: ignore[type-arg]  # see above
    answer = await client.post("/", json=[1])
    assert (await answer.json())["echo"] == [1]


async def test_items_of_a_job_have_results_or_the_failure_that_they_ask_for(
    client: TestClient,  # type: ignore[type-arg]  # see above
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = {"X-Cortex-Job-ID": "j"}
    once, always = {"item": 1, "fails": "once"}, {"item": 2, "fails": "always"}
    answer = await client.post("/", json=[once, 7, always], headers=job)
    assert await answer.json() == {
        "results": [None, {"echo": 7}, None],
        "failures": [
            {"index": 0, "error": "this item asks for a retry", "retry": True},
            {"index": 2, "error": "this item asks for a failure"},
        ],
    }
    answer = await client.post("/", json=[once], headers=job)
    assert await answer.json() == {"results": [{"echo": once}], "failures": []}
    answer = await client.post("/on-job-complete", json={"message": "job_complete"}, headers=job)
    assert answer.status == 200
    assert capsys.readouterr().out.splitlines() == [
        "a batch of 3 items, 2 of them failed; 1 done so far",
        "a batch of 1 item; 2 done so far",
        "/on-job-complete: every batch is done",
    ]


async def test_a_request_that_asks_for_it_gets_no_response(client: TestClient) -> None:  # type: ignore[type-arg]  # see above
    for value, answers in (("once", [False, True]), ("always", [False, False])):
        seen = []
        for _ in answers:
            try:
                seen.append((await client.post("/", json={"fails": value})).status == 200)
            except ServerDisconnectedError:
                seen.append(False)
        assert seen == answers


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\xfd"])
async def test_what_is_not_json_is_refused(client: TestClient, body: bytes) -> None:  # type: ignore[type-arg]  # see above
    assert (await client.post("/", data=body)).status == 400
