"""A gateway that gives canned answers, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from dequeuer.client.answers import Answer
from dequeuer.client.errors import ClientError, RefusedFault, RequestRefusedError
from dequeuer.client.gateway import Gateway, open_gateway
from dequeuer.client.job_calls import JobCalls, Kind
from dequeuer.client.jobs import ApiJobs
from dequeuer.client.retrying import Retries
from tests.jobs.stage import JOB
from tests.tcp_server import tcp_server

_LAST: Final = "Connection: close\r\n"
"""Of each answer: a `CannedGateway` keeps no connection."""


def status_fields(status: str = "running", **more: Any) -> dict[str, Any]:
    return {
        "job_id": JOB,
        "api_name": "sum",
        "kind": "BatchAPI",
        "workers": 2,
        "config": {"n": 1},
        "start_time": "2026-11-26T16:38:16.5Z",
        "status": status,
        "batches_in_queue": 3,
        **more,
    }


def answer(body: bytes | Any, status: int = 200, media_type: str = "application/json", **fields: str) -> bytes:
    """Return a whole response. `fields`: further header fields, `_` for `-`."""
    data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    head = f"HTTP/1.1 {status} x\r\nContent-Type: {media_type}\r\nContent-Length: {len(data)}\r\n{_LAST}{more}\r\n"
    return head.encode() + data


def refusal(*messages: str, kind: str = "error", status: int = 400) -> bytes:
    faults = [{"kind": kind, "message": message} for message in messages]
    return answer({**faults[0], "faults": faults}, status)


def chunked(*pieces: bytes, whole: bool = True, media_type: str = "text/event-stream", **fields: str) -> bytes:
    """Return a response in chunks. `whole`: with its end; without it the response is cut off."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked\r\n{_LAST}{more}\r\n"
    return (
        head.encode()
        + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        + (b"0\r\n\r\n" if whole else b"")
    )


def event(fields: Any) -> bytes:
    return f"data: {json.dumps(fields)}\n\n".encode()


def events(*statuses: dict[str, Any], whole: bool = True) -> bytes:
    return chunked(*map(event, statuses), whole=whole)


class Held(bytes):
    """A response after which the connection stays open, and nothing more comes."""


HOLD = Held()
"""No response."""


@dataclass
class CannedGateway:
    """Gives these responses, one a request, the last one again and again; each connection carries one."""

    responses: list[bytes]
    url: str = ""
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    """First lines, and bodies."""
    heads: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        body = await reader.readexactly(length)
        self.requests.append((head.partition(" HTTP/")[0], body))
        self.heads.append(head)
        self.asked.set()
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        writer.write(response)
        await writer.drain()
        if isinstance(response, Held):
            await asyncio.Event().wait()


@asynccontextmanager
async def canned(*responses: bytes) -> AsyncIterator[CannedGateway]:
    gateway = CannedGateway(list(responses))
    async with tcp_server(gateway.serve) as port:
        gateway.url = f"http://127.0.0.1:{port}"
        yield gateway


@asynccontextmanager
async def calling(url: str, api: str = "sum", kind: Kind | None = None) -> AsyncIterator[ApiJobs]:
    async with open_gateway(url) as gateway:
        retries = Retries()
        yield ApiJobs(JobCalls(gateway, api, kind, on_answer=retries.note_answer), retries)


OF_A_TASK: Final = RequestRefusedError(
    400, [RefusedFault("resources.operation_is_only_supported_for_kind", "not supported for train of kind TaskAPI")]
)
"""The refusal of a call about a batch API."""


class Told(Answer):
    """An answer without a connection, for virtual time."""

    def __init__(self, value: Any) -> None:
        self.value = value

    async def aclose(self) -> None:
        pass

    async def json(self, max_bytes: int) -> Any:
        return self.value


def tell(monkeypatch: pytest.MonkeyPatch, *outcomes: ClientError | Told) -> list[str]:
    """Let each gateway give these answers, one a request, without a connection; return methods and paths."""
    left, asked = list(outcomes), list[str]()

    async def open_told(_gateway: Gateway, method: str, path: str, *_: object, **__: object) -> Answer:
        asked.append(f"{method} {path}")
        outcome = left.pop(0)
        if isinstance(outcome, ClientError):
            raise outcome
        return outcome

    monkeypatch.setattr(Gateway, "open", open_told)
    return asked
