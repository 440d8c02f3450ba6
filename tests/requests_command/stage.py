"""Runs a command for requests within the test, and what a gateway says of requests."""

from __future__ import annotations

import io
from typing import Any

from dequeuer.commands.output import Output
from dequeuer.requests_command.arguments import parse
from dequeuer.requests_command.calling import run_call
from tests.client.stage import answer
from tests.commands.stage import Ended, Tty

ONE = "fe5de1b7-f7e1-84c9-b40c-cde9b0b13513"
OTHER = "fe5de1b8-0609-8c50-a578-7320d12cc4d8"


def document(status: str = "completed", request_id: str = ONE, **more: Any) -> dict[str, Any]:
    """Return a status document."""
    return {"id": request_id, "status": status, "created": "2026-11-27T18:32:46Z", **more}


def completed(result: Any = None, request_id: str = ONE) -> dict[str, Any]:
    return document("completed", request_id, result=result, ended="2026-11-27T18:32:47Z")


def failed(code: str = "container_status", request_id: str = ONE, **more: Any) -> dict[str, Any]:
    error = {"code": code, "message": "the container answered 500, not 200", **more}
    return document("failed", request_id, ended="2026-11-27T18:32:47Z", error=error)


def not_found(request_id: str = ONE) -> bytes:
    return answer(f"error: id {request_id} not found".encode(), 404, "text/plain")


async def call(url: str, *line: str, terminal: bool = False) -> Ended:
    """Run a command against a gateway. Results go to no stream here: see `run` for those."""
    out, err = Tty() if terminal else io.StringIO(), io.StringIO()
    status = await run_call(parse(line), url, Output(out, err))
    return Ended(status, out.getvalue(), err.getvalue())
