"""Web pages at a gateway without configured origins: as at Cortex's."""

from __future__ import annotations

import pytest

from tests.gateway.fakes import PREFIX, Store
from tests.gateway.served import Serve, as_it_stands


async def test_an_answer_is_readable_from_any_origin(serve: Serve) -> None:
    async with serve() as http:
        for path, status in (("/healthz", 200), ("/api/id1", 404), ("/a/b/c", 404), ("/api/a%00", 400)):
            url = as_it_stands(http, path)
            async with http.get(url, headers={"Origin": "https://page"}) as answer:
                assert answer.status == status
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert answer.headers["Access-Control-Allow-Credentials"] == "true"
                assert answer.headers["Access-Control-Expose-Headers"] == "Content-Length,Content-Range"
        async with http.get("/healthz") as answer:
            assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_big_results_are_readable_from_any_origin(serve: Serve, store: Store) -> None:
    store.memory.seed([(f"{PREFIX}id1/status/completed", b""), (f"{PREFIX}id1/result.json", b"1")])
    async with serve() as http, http.get("/api/id1", headers={"Origin": "https://page"}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("asked", "status", "granted"),
    [
        ({"Access-Control-Request-Method": "POST"}, 200, {}),
        (
            {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, accept"},
            200,
            {"Access-Control-Allow-Headers": "Content-Type"},
        ),
        ({"Access-Control-Request-Method": "PUT"}, 200, {"Access-Control-Allow-Methods": "PUT"}),
        ({"Access-Control-Request-Method": "DELETE"}, 405, None),
        ({"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-cortex-api-name"}, 403, None),
        ({}, 400, None),
    ],
)
async def test_preflights(serve: Serve, asked: dict[str, str], status: int, granted: dict[str, str] | None) -> None:
    always = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
    async with serve() as http, http.options("/api", headers={"Origin": "https://page", **asked}) as answer:
        assert answer.status == status
        given = {name: value for name, value in answer.headers.items() if name.startswith("Access-Control")}
        assert given == ({} if granted is None else always | granted)
