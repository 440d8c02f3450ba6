"""The headers of the document are those that the gateway reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from dequeuer.gateway.access.gate import Access
from dequeuer.gateway.priorities import Priorities
from tests.gateway.access.stage import bearer, entry, make_tokens
from tests.gateway.fakes import URL, serving
from tests.gateway.openapi.stage import application

OF_ANY_REQUEST = {"authorization", "content-type", "expect", "origin"}
"""Headers that are no parameters of a submission."""
IN_CLUSTER = {"X-Request-ID": "id1", "X-Cortex-API-Name": "text", "X-Cortex-Queue-URL": URL}
OPTIONAL = {"Idempotency-Key": "key", "Prefer": "wait=0", "X-Dequeuer-Priority": "high", "Cancel-After": "60"}


class Headers(Mapping[str, str]):
    """The headers of a request. The names that are looked for are noted."""

    def __init__(self, headers: Mapping[str, str], names: set[str]) -> None:
        self._headers = headers
        self._names = names

    def __getattr__(self, method: str) -> Any:
        def call(name: str, *more: Any) -> Any:
            self._names.add(name.lower())
            return getattr(self._headers, method)(name, *more)

        return call

    def __getitem__(self, name: str) -> str:
        self._names.add(name.lower())
        return self._headers[name]

    def __iter__(self) -> Iterator[str]:
        pytest.fail("all headers are read, so it is not known which ones the document needs")

    def __len__(self) -> int:
        return len(self._headers)


@pytest.mark.parametrize(("path", "needed"), [("/text", {}), ("/", IN_CLUSTER)])
async def test_the_headers_of_a_submission_are_those_that_are_read_of_it(
    monkeypatch: pytest.MonkeyPatch, path: str, needed: dict[str, str]
) -> None:
    read: set[str] = set()
    monkeypatch.setattr(web.BaseRequest, "headers", property(lambda request: Headers(request._headers, read)))
    token = bearer("all")
    app = application(access=Access(tokens=make_tokens(entry("all"))), priorities=Priorities({"text": {"high": URL}}))
    async with serving(app) as http:
        async with http.get("/openapi.json", headers=token) as answer:
            parameters = (await answer.json())["paths"][path]["post"]["parameters"]
        read.clear()
        async with http.post(path, data=b"x", headers={**token, **needed, **OPTIONAL}) as answer:
            assert answer.status == 202
    assert read - OF_ANY_REQUEST == {one["name"].lower() for one in parameters if one["in"] == "header"}
