from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from dequeuer.gateway.access.gate import Access
from dequeuer.gateway.endpoints import NO_ENDPOINTS, Endpoint, Endpoints
from dequeuer.gateway.openapi.document import Descriptions
from dequeuer.gateway.openapi.operations import OPERATIONS
from dequeuer.gateway.priorities import Priorities
from tests.gateway.access.stage import bearer, entry, make_tokens
from tests.gateway.fakes import URL, serving
from tests.gateway.openapi.stage import ENDPOINTS, QUEUES, application

NOT_DESCRIBED = {"/split/{rest}": "refuses what is below a TrafficSplitter"}


async def document(path: str = "/openapi.json", token: str = "", **options: Any) -> dict[str, Any]:
    headers = bearer(token) if token else {}
    async with serving(application(**options)) as http, http.get(path, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        read: dict[str, Any] = json.loads(await answer.text())
        return read


@pytest.mark.parametrize("access", [Access(), Access(tokens=make_tokens(entry("all")))])
async def test_the_document_is_valid(access: Access) -> None:
    made = await document(token="all" if access.tokens else "", access=access)
    OpenAPIV31SpecValidator(made).validate()
    names = [one["operationId"] for item in made["paths"].values() for one in item.values()]
    assert len(names) == len(set(names)) > 40


async def test_each_route_is_in_the_document_and_nothing_else() -> None:
    app = application()
    described = {(one.method, one.path) for one in Descriptions(ENDPOINTS, QUEUES).of(app.router.routes())}
    known = Descriptions(ENDPOINTS, QUEUES)
    names = {name for route in app.router.routes() if (name := known.name_of(route)) is not None}
    is_any = {name for name in names if name.startswith("* ")}
    assert is_any == {"* /{realtime}"}
    assert {name.replace("HEAD ", "GET ") for name in names - is_any} == OPERATIONS.keys()
    made = await document()
    assert {(method, path) for path, item in made["paths"].items() for method in item} == described
    patterns = {route.resource.canonical for route in app.router.routes() if route.resource is not None}
    concrete = {pattern for pattern in patterns if "{api_name}" not in pattern and pattern != "/"}
    assert {pattern.rstrip("/") for pattern in concrete} - NOT_DESCRIBED.keys() <= made["paths"].keys()


async def test_the_paths_are_those_of_the_apis() -> None:
    paths = (await document())["paths"]
    for path in ("/text", "/v1/text"):
        assert set(paths[path]) == {"get", "head", "post", "put"}
        assert set(paths[f"{path}/{{request_id}}"]) == {"get", "head", "delete"}
        assert set(paths[f"{path}/{{request_id}}/events"]) == {"get"}
    assert len(paths["/v1/hello"]) == len(paths["/v1/hello/{rest}"]) == len(paths["/split"]) == 7
    assert set(paths["/batch/sum"]) == {"get", "head", "post", "delete", "put"}
    assert not any("{api_name}" in path for path in paths)


async def test_without_a_file_the_apis_of_the_queues_are_there() -> None:
    paths = (await document(endpoints=NO_ENDPOINTS, queues={"a": URL, "b": URL}))["paths"]
    assert {"/a", "/b", "/a/{request_id}", "/"} <= paths.keys()
    assert not any(path.startswith("/batch") for path in paths)


@pytest.mark.parametrize(
    ("name", "endpoints"),
    [
        ("openapi.json", NO_ENDPOINTS),
        ("other", Endpoints([Endpoint(api_name="other", kind="AsyncAPI", path="/openapi.json")])),
    ],
)
async def test_an_api_with_the_path_of_the_document_wins(name: str, endpoints: Endpoints) -> None:
    made = await document("/~openapi.json", endpoints=endpoints, queues={name: URL})
    assert set(made["paths"]["/openapi.json"]) == {"get", "head", "post", "put"}
    app = application(endpoints, {name: URL})
    async with serving(app) as http, http.get("/openapi.json") as answer:
        assert await answer.json() == {"requests": []}


async def test_no_page_reads_the_names_of_apis_unless_its_origin_is_configured() -> None:
    headers, allow = {"Origin": "https://app.example.com"}, "Access-Control-Allow-Origin"
    async with serving(application()) as http, http.get("/openapi.json", headers=headers) as answer:
        assert (answer.status, allow in answer.headers) == (200, False)


async def test_callers_see_their_apis_only() -> None:
    access = Access(tokens=make_tokens(entry("one", ["text"], ["read"]), entry("two", ["sum", "hello"], ["submit"])))
    seen = {}
    for token in ("one", "two"):
        made = await document(token=token, access=access)
        seen[token] = {
            path
            for path in made["paths"]
            if not path.startswith(("/{", "/healthz", "/verify", "/~", "/open", "/_apis"))
        }
        assert made["paths"]["/healthz"]["get"].get("security") is None
    assert {"/text", "/v1/text"} <= seen["one"]
    assert all("text" in path for path in seen["one"] - {"/", "/get", "/deploy"})
    assert {"/batch/sum", "/v1/hello", "/get/sum", "/get/hello"} <= seen["two"]
    assert not any("text" in path or "split" in path for path in seen["two"])
    async with serving(application(access=access)) as http:
        for path in ("/openapi.json", "/~openapi.json"):
            async with http.get(path) as answer:
                assert (answer.status, answer.content_type) == (401, "application/problem+json")


async def test_more_sets_of_apis_than_are_kept_get_their_documents() -> None:
    names = [f"api-{number}" for number in range(40)]
    access = Access(tokens=make_tokens(*(entry(name, [name]) for name in names)))
    async with serving(application(NO_ENDPOINTS, dict.fromkeys(names, URL), access)) as http:
        for name in (*names, names[0]):
            async with http.get("/openapi.json", headers=bearer(name)) as answer:
                paths = json.loads(await answer.text())["paths"]
                assert [path for path in paths if path.startswith("/api-") and "{" not in path] == [
                    f"/{name}",
                    f"/{name}/_dead-letters",
                    f"/{name}/_queue",
                ]


async def test_the_priorities_of_each_api_are_named_where_it_takes_them() -> None:
    two = ("high", "low")
    priorities = Priorities({"text": dict.fromkeys(two, URL), "gone": {"x": URL}})
    access = Access(tokens=make_tokens(entry("all")))
    made = await document(token="all", access=access, priorities=priorities, queues={"text": URL, "other": URL})
    OpenAPIV31SpecValidator(made).validate()
    taken = {
        f"{method} {path} {parameter['in']} {parameter['name']}": parameter["schema"]
        for path, item in made["paths"].items()
        for method, operation in item.items()
        for parameter in operation.get("parameters", ())
        if parameter["name"] in {"X-Dequeuer-Priority", "priority"}
    }
    schema = {"type": "string", "enum": list(two)}
    assert taken == {
        "post / header X-Dequeuer-Priority": {"type": "string"},  # whose API is in a header
        **{f"post {path} header X-Dequeuer-Priority": schema for path in ("/text", "/v1/text")},
        **{
            f"{method} {path}/_dead-letters query priority": schema
            for method in ("get", "head", "put")
            for path in ("/text", "/v1/text")
        },
        **{
            f"{method} {path}/_queue query priority": schema
            for method in ("get", "head")
            for path in ("/text", "/v1/text")
        },
    }
    assert "X-Dequeuer-Priority" not in json.dumps(await document())
