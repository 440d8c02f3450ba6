from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession

from dequeuer.core.errors import ConfigurationError
from dequeuer.gateway.application import make_app
from dequeuer.gateway.endpoints import Endpoint, Endpoints, load_endpoints
from tests.gateway.fakes import PREFIX, URL, FakeQueue, Store, make_gateway, serving

ENDPOINTS = Endpoints(
    [
        Endpoint(api_name="api", kind="AsyncAPI", path="/v1/text"),
        Endpoint(api_name="v1", kind="AsyncAPI", path="/v1"),
        Endpoint(api_name="other", kind="AsyncAPI", path="/swapped"),
        Endpoint(api_name="swapped", kind="AsyncAPI", path="/other"),
        Endpoint(api_name="answer", kind="RealtimeAPI", path="/v1/answer"),
        Endpoint(api_name="split", kind="TrafficSplitter", path="/split"),
    ]
)
QUEUES = {"api": URL, "v1": f"{URL}1", "other": f"{URL}2", "swapped": f"{URL}3"}


@asynccontextmanager
async def served(store: Store, queue: FakeQueue) -> AsyncIterator[ClientSession]:
    async with serving(make_app(make_gateway(store, queue, 1000), QUEUES, endpoints=ENDPOINTS)) as session:
        yield session


@pytest.mark.parametrize("path", ["/v1/text", "/v1/text/", "/api", "/api/"])
async def test_an_api_is_at_its_endpoint_and_at_its_name(store: Store, queue: FakeQueue, path: str) -> None:
    async with served(store, queue) as http:
        async with http.post(path, data=b"x") as answer:
            assert answer.status == 200
            request_id = (await answer.json())["id"]
        assert queue.sent == [(URL, request_id)]
        assert f"{PREFIX}{request_id}/payload" in store.objects
        for start in ("/v1/text", "/api"):
            async with http.get(f"{start}/{request_id}") as answer:
                assert await answer.json() == {
                    "id": request_id,
                    "status": "in_queue",
                    "created": "2021-05-03T12:00:00Z",
                }


@pytest.mark.parametrize(
    ("path", "api_name"), [("/v1", "v1"), ("/v1/text", "api"), ("/swapped", "other"), ("/other", "swapped")]
)
async def test_the_longer_endpoint_wins_and_an_endpoint_wins_over_a_name(
    store: Store, queue: FakeQueue, path: str, api_name: str
) -> None:
    async with served(store, queue) as http, http.post(path, data=b"x") as answer:
        assert answer.status == 200
    assert [url for url, _ in queue.sent] == [QUEUES[api_name]]


@pytest.mark.parametrize(
    ("method", "path", "api_name", "kind"),
    [
        ("POST", "/v1/answer", "answer", "RealtimeAPI"),
        ("GET", "/v1/answer", "answer", "RealtimeAPI"),
        ("PUT", "/v1/answer/sub/path", "answer", "RealtimeAPI"),
        ("POST", "/answer", "answer", "RealtimeAPI"),
        ("GET", "/answer/id", "answer", "RealtimeAPI"),
        ("DELETE", "/split", "split", "TrafficSplitter"),
    ],
)
async def test_other_kinds_are_refused(
    store: Store, queue: FakeQueue, method: str, path: str, api_name: str, kind: str
) -> None:
    async with served(store, queue) as http, http.request(method, path) as answer:
        assert answer.status == 404
        assert f"error: API {api_name} is of kind {kind}, and this gateway does not serve it" in await answer.text()
    assert queue.sent == []


async def test_a_body_that_is_refused_is_not_asked_for(store: Store, queue: FakeQueue) -> None:
    head = b"POST /v1/answer HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    async with served(store, queue) as http:
        base = http._base_url
        assert base is not None
        reader, writer = await asyncio.open_connection(base.host, base.port)
        writer.write(head)
        assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
        writer.close()
        await writer.wait_closed()


async def test_an_unknown_api_is_refused(store: Store, queue: FakeQueue) -> None:
    async with served(store, queue) as http, http.post("/none", data=b"x") as answer:
        assert answer.status == 404
        assert "API none is not served here" in await answer.text()


ASYNC = """\
- name: text
  kind: AsyncAPI
  pod: {containers: [{name: api, image: text}]}
"""
REALTIME = ASYNC.replace("text", "answer").replace("AsyncAPI", "RealtimeAPI")


def written(folder: Path, text: str) -> str:
    path = folder / "cortex.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_endpoints_of_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, ASYNC + "  networking: {endpoint: v1/text}\n" + REALTIME)
    endpoints = load_endpoints(path, {"text": URL})
    assert [replace(one, spec=None) for one in endpoints] == [
        Endpoint(api_name="text", kind="AsyncAPI", path="/v1/text"),
        Endpoint(api_name="answer", kind="RealtimeAPI", path="/answer", address=("api-answer", 8888)),
    ]
    assert [one.spec and one.spec.name for one in endpoints] == ["text", "answer"]
    assert (endpoints.kind_of("answer"), endpoints.kind_of("none")) == ("RealtimeAPI", None)


def test_jobs_show_of_their_api_what_the_gateway_does(tmp_path: Path) -> None:
    job = """\
- name: sum
  kind: BatchAPI
  pod: {containers: [{name: api, image: sum, command: [run], env: {PASSWORD: quite secret}}]}
"""
    one, other = load_endpoints(written(tmp_path, ASYNC + job), {"text": URL})
    assert one.job_api is None
    assert other.job_api is not None
    assert other.job_api is other.spec
    assert (other.job_api.kind, other.job_api.config["index"]) == ("BatchAPI", 1)
    assert "secret" in str(other.job_api.config)
    assert "secret" not in repr(other)


def test_an_async_api_needs_its_queue(tmp_path: Path) -> None:
    path = written(tmp_path, ASYNC)
    with pytest.raises(ConfigurationError) as caught:
        load_endpoints(path, {"txt": URL})
    (fault,) = caught.value.faults
    assert fault.startswith(
        f"{path}: API text is an AsyncAPI, and DEQUEUER_QUEUES names no queue for it (did you mean txt?)"
    )
    assert list(load_endpoints(path, None)) != []


def test_an_api_of_another_kind_has_no_queue(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="API answer is of kind RealtimeAPI, and DEQUEUER_QUEUES names a queue"
    ):
        load_endpoints(written(tmp_path, REALTIME), {"answer": URL})


def test_an_address_replaces_that_of_a_cortex_cluster(tmp_path: Path) -> None:
    (one,) = load_endpoints(written(tmp_path, REALTIME), {}, {"answer": ("10.0.0.1", 80)})
    assert one.address == ("10.0.0.1", 80)


@pytest.mark.parametrize(
    ("name", "what"), [("text", "is of kind AsyncAPI"), ("anser", "is not in the file .did you mean answer")]
)
def test_only_a_realtime_api_has_an_address(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=f"API {name} {what}"):
        load_endpoints(written(tmp_path, ASYNC + REALTIME), {"text": URL}, {name: ("10.0.0.1", 80)})


@pytest.mark.parametrize("endpoint", ["healthz", "batch", "tasks/x"])
def test_paths_of_the_gateway_are_no_endpoints(tmp_path: Path, endpoint: str) -> None:
    path = written(tmp_path, f"{ASYNC}  networking: {{endpoint: {endpoint}}}\n")
    with pytest.raises(ConfigurationError, match=f'API text has the endpoint "/{endpoint}", and the gateway answers /'):
        load_endpoints(path, {"text": URL})


def test_the_faults_of_a_file_are_those_of_the_gateway(tmp_path: Path) -> None:
    path = written(tmp_path, ASYNC.replace("text", "Text", 1))
    with pytest.raises(ConfigurationError, match=rf"^{path}:1:9: apis\[0\].name"):
        load_endpoints(path, {})
