"""What a client of a gateway sends, and what it gets."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from tests.integration.gateway_process import Gateway
from tests.integration.waiting import DEADLINE_S, eventually


def ask(
    gateway: Gateway, method: str, path: str, headers: dict[str, str] | None = None, payload: bytes = b"payload"
) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and document of a response. `payload`: of a submission."""
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=DEADLINE_S)) as connection:
        connection.request(method, path, payload if method == "POST" else None, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read())


def ended(gateway: Gateway, request_id: str) -> dict[str, Any]:
    """Wait for the end of a request, by asking again and again with a wait."""

    def look() -> dict[str, Any] | None:
        status, _, document = ask(gateway, "GET", f"/api/{request_id}?wait=30")
        assert status == 200
        return document if document["status"] in {"completed", "failed"} else None

    return eventually(look, "the request to end")


def events(gateway: Gateway, request_id: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of the events of a request as they come, until the connection ends or is cut."""
    with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=DEADLINE_S)) as connection:
        connection.request("GET", f"/api/{request_id}/events")
        answer = connection.getresponse()
        assert answer.status == 200
        try:
            while line := answer.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))
        except OSError:
            return
