"""What Cortex's operator answered, at the gateway: which APIs there are, with their jobs; what the manifests do instead."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from dequeuer.gateway import operator_routes
from dequeuer.gateway.access.gate import ANYONE, Access
from dequeuer.gateway.application import make_app
from dequeuer.gateway.endpoints import NO_ENDPOINTS, Endpoint, Endpoints, load_endpoints
from tests.gateway.access.stage import bearer, entry, make_tokens
from tests.gateway.fakes import URL, FakeQueue, Store, make_gateway, serving
from tests.gateway.jobs import APIS, JobStage, error
from tests.jobs.stage import job_spec, seed_job

JOBS = [Endpoint(api_name=api.name, kind=api.kind, path=api.endpoint, job_api=api) for api in APIS]
TEXT = Endpoint(api_name="text", kind="AsyncAPI", path="/v1/text")
FILE = """
- name: text
  kind: AsyncAPI
  networking: {endpoint: v1/text}
  pod: {max_concurrency: 3, containers: [{name: api, image: text, env: {PASSWORD: quite secret, EMPTY: ""}}]}
- name: one
  kind: RealtimeAPI
  pod:
    port: 9000
    max_queue_length: 7
    containers: [{name: api, image: one, pre_stop: {exec: {command: [sleep, "1"]}}}]
  autoscaling: {max_replicas: 4, window: 30s}
- name: split
  kind: TrafficSplitter
  apis: [{name: one, weight: 100}]
"""

pytestmark = pytest.mark.usefixtures("no_pauses")


@asynccontextmanager
async def served(
    stage: JobStage,
    endpoints: Endpoints | Sequence[Endpoint] = (TEXT, *JOBS),
    queues: Mapping[str, str] | None = None,
    access: Access = ANYONE,
) -> AsyncIterator[ClientSession]:
    store = Store()
    app = make_app(
        make_gateway(store, FakeQueue(store)),
        {"text": URL} if queues is None else queues,
        endpoints=endpoints if isinstance(endpoints, Endpoints) else Endpoints(endpoints),
        jobs=stage.jobs(),
        access=access,
    )
    async with serving(app) as http:
        yield http


async def get(http: ClientSession, path: str, token: str = "") -> Any:
    async with http.get(path, headers=bearer(token) if token else {}) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        return json.loads(await answer.text())


async def test_the_list_has_each_api_once_with_what_is_known_of_it(stage: JobStage) -> None:
    seed_job(stage.store, "succeeded")
    # The order is that of the file, in which the AsyncAPI is not the first, and then that of the names.
    queues = {"plain": URL, "another": URL, "text": URL}
    async with served(stage, [JOBS[0], TEXT, *JOBS[1:]], queues) as http:
        listed = await get(http, "/get")
    assert [one["metadata"] for one in listed] == [
        {"name": "sum", "kind": "BatchAPI"},
        {"name": "text", "kind": "AsyncAPI"},
        {"name": "mean", "kind": "BatchAPI"},
        {"name": "train", "kind": "TaskAPI"},
        {"name": "another", "kind": "AsyncAPI"},
        {"name": "plain", "kind": "AsyncAPI"},
    ]
    [job] = listed[0]["batch_job_statuses"]
    assert (job["job_id"], job["status"]) == (job_spec().job_id, "succeeded")
    assert "config" not in job
    assert [set(one) for one in listed[1:]] == [{"metadata"}] * 5


async def test_the_list_has_all_jobs_that_run_or_else_the_latest_one(stage: JobStage) -> None:
    ids = [f"67e3b0f1a2c4d5{number:02x}" for number in range(4)]
    seed_job(stage.store, "succeeded", spec=job_spec(ids[0]), indexed=False)
    # The index may hold one that has ended: its entry is deleted last.
    indexed = [
        seed_job(stage.store, state, spec=job_spec(job_id))
        for job_id, state in zip(ids[1:], ("running", "succeeded", "pending"), strict=True)
    ]
    async with served(stage) as http:
        [running] = [one["batch_job_statuses"] for one in await get(http, "/get") if "batch_job_statuses" in one]
        assert [job["job_id"] for job in running] == [ids[1], ids[3]]
        await stage.store.delete([keys.in_progress for keys in indexed])
        [latest] = [one["batch_job_statuses"] for one in await get(http, "/get") if "batch_job_statuses" in one]
        assert [job["job_id"] for job in latest] == [ids[0]]


async def test_an_api_is_shown_with_its_newest_jobs(stage: JobStage) -> None:
    ids = [f"67e3b0f1a2c4d5{number:02x}" for number in range(12)]
    for job_id in ids:
        seed_job(stage.store, "succeeded", spec=job_spec(job_id))
    async with served(stage) as http:
        [shown] = await get(http, "/get/sum")
        base = http._base_url
    assert base is not None
    assert [job["job_id"] for job in shown["batch_job_statuses"]] == ids[:10]
    assert shown["endpoint"] == f"http://{base.host}:{base.port}/sum"
    assert shown["metadata"]["kind"] == "BatchAPI"


async def test_the_specification_is_that_of_the_file_without_the_values_of_its_environment(
    stage: JobStage, tmp_path: Path
) -> None:
    path = tmp_path / "cortex.yaml"
    path.write_text(FILE)
    endpoints = load_endpoints(str(path), {"text": URL})
    assert "secret" not in repr(list(endpoints))
    async with served(stage, endpoints) as http:
        shown = {name: (await get(http, f"/get/{name}"))[0] for name in ("text", "one", "split")}
        listed = await get(http, "/get")
    spec = shown["text"]["spec"]
    assert spec["pod"]["containers"][0]["env"] == {"EMPTY": "(hidden)", "PASSWORD": "(hidden)"}
    assert (spec["name"], spec["pod"]["max_concurrency"], spec["file_name"]) == ("text", 3, "cortex.yaml")
    assert spec["id"] == shown["text"]["metadata"]["id"]
    spec = shown["one"]["spec"]
    assert spec["pod"]["containers"][0]["pre_stop"] == {"http_get": None, "exec": {"command": ["sleep", "1"]}}
    assert (spec["pod"]["port"], spec["pod"]["max_queue_length"], spec["index"]) == (9000, 7, 1)
    assert (spec["autoscaling"]["max_replicas"], spec["autoscaling"]["window"]) == (4, 30_000_000_000)
    assert spec["update_strategy"] == {"max_surge": "25%", "max_unavailable": "25%"}
    assert shown["split"]["spec"]["apis"] == [{"name": "one", "weight": 100, "shadow": False}]
    assert shown["split"]["spec"]["pod"] is None
    assert [one.get("num_traffic_splitter_targets") for one in listed] == [None, None, 1]
    assert "secret" not in json.dumps([shown, listed])


async def test_without_a_file_the_apis_of_the_queues_are_there(stage: JobStage) -> None:
    async with served(stage, NO_ENDPOINTS, {"a": URL}) as http:
        assert await get(http, "/get") == [{"metadata": {"name": "a", "kind": "AsyncAPI"}}]
        [shown] = await get(http, "/get/a")
        assert shown["endpoint"].endswith("/a")


async def test_an_unknown_api_is_told_as_the_operator_does(stage: JobStage) -> None:
    async with served(stage) as http:
        for path, name in (("/get/nope", "nope"), ("/get/No%2F..", "No/..")):
            assert await error(http, "GET", path) == (400, "resources.api_not_deployed", f"{name} is not deployed")


@pytest.mark.parametrize(
    ("method", "path", "word"),
    [("POST", "/deploy?force=true", "dequeuer manifests"), ("POST", "/refresh/sum", "rollout restart"), ("DELETE", "/delete/sum", "values")],
)  # fmt: skip
async def test_what_the_manifests_do_is_refused_with_what_to_do(
    stage: JobStage, method: str, path: str, word: str
) -> None:
    async with served(stage) as http:
        status, kind, message = await error(http, method, path, b"x" * 100_000)
    assert (status, kind) == (400, "operator.done_by_manifests")
    assert word in message
    assert stage.store.journal == []


@pytest.mark.parametrize(
    ("endpoints", "queues"),
    [
        ([], {"get": URL}),
        ([Endpoint(api_name="mine", kind="AsyncAPI", path="/get")], {"mine": URL}),
        ([Endpoint(api_name="mine", kind="AsyncAPI", path="/get/deep")], {"mine": URL}),
    ],
)
async def test_an_api_whose_path_begins_like_that_of_the_operator_wins(
    stage: JobStage, endpoints: list[Endpoint], queues: dict[str, str]
) -> None:
    path = endpoints[0].path if endpoints else "/get"
    async with served(stage, endpoints, queues) as http:
        assert await get(http, path) == {"requests": []}
        async with http.get(f"{path}/some-id") as answer:
            assert (answer.status, await answer.text()) == (404, "error: id some-id not found")
        async with http.post(path, data=b"x") as answer:
            assert answer.status == 200
        assert (await error(http, "POST", "/deploy"))[1] == "operator.done_by_manifests"


async def test_a_caller_lists_and_sees_its_own_apis_only(stage: JobStage) -> None:
    access = Access(tokens=make_tokens(entry("one", ["sum", "text"], ["read"]), entry("two", ["sum"], ["submit"])))
    async with served(stage, access=access) as http:
        assert [one["metadata"]["name"] for one in await get(http, "/get", "one")] == ["text", "sum"]
        assert (await get(http, "/get/sum", "one"))[0]["metadata"]["name"] == "sum"
        for token, path in (("one", "/get/mean"), ("one", "/get/nope"), ("two", "/get/sum")):
            async with http.get(path, headers=bearer(token)) as answer:
                assert (answer.status, (await answer.json())["kind"]) == (403, "forbidden")
        async with http.delete("/delete/sum", headers=bearer("one")) as answer:
            assert answer.status == 403


async def test_no_page_reads_the_names_of_apis(stage: JobStage) -> None:
    async with served(stage) as http:
        for path in ("/get", "/get/sum"):
            async with http.get(path, headers={"Origin": "https://app.example.com"}) as answer:
                assert (answer.status, "Access-Control-Allow-Origin" in answer.headers) == (200, False)


async def test_a_store_that_is_away_or_slow_is_told_so_that_the_client_comes_again(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(stage) as http:
        stage.store.fail(times=1000)
        for path in ("/get", "/get/sum"):
            async with http.get(path) as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        monkeypatch.setattr(operator_routes, "LIST_TIMEOUT_S", 0.0)
        async with http.get("/get") as answer:
            assert (answer.status, "within 0 s" in await answer.text()) == (503, True)
