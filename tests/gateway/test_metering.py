"""What is counted of requests: by route, by API, and why they are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import yarl
from aiohttp import ClientSession, web

from dequeuer.core.events import Event, GatewayRequestEnded
from dequeuer.gateway.access.gate import ANYONE, Access
from dequeuer.gateway.application import make_app
from dequeuer.gateway.endpoints import Endpoint, Endpoints
from dequeuer.gateway.metering import RequestMeter, measure_requests, status_class
from dequeuer.gateway.realtime import Forwarder
from dequeuer.gateway.service import Gateway
from dequeuer.http.server import IdleLimit
from dequeuer.process.ports import free_ports
from tests.gateway.access.stage import ENDPOINTS, QUEUES, bearer, entry, make_tokens
from tests.gateway.fakes import FakeQueue, Store, make_gateway, serving
from tests.gateway.jobs import JobStage
from tests.http.canned import eventually
from tests.tcp_server import tcp_server

API_NAMES = {*QUEUES, "sum", "mean", "train", "hello"}
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"


@dataclass
class Metered:
    """A gateway, a client of it, and what was counted."""

    http: ClientSession
    app: web.Application
    gateway: Gateway
    meter: RequestMeter
    seen: list[Event]

    async def ask(self, method: str, path: str, **more: object) -> int:
        """Send a request whose path stays as it is; return the status."""
        url = yarl.URL(f"{str(self.http._base_url).rstrip('/')}{path}", encoded=True)
        async with self.http.request(method, url, **more) as answer:  # type: ignore[arg-type]
            await answer.read()
            return answer.status

    async def counted(self, method: str, path: str, **more: object) -> tuple[str, str, str, str]:
        """Send a request; return route, API, class of the status, and reason."""
        await self.ask(method, path, **more)
        return self.last()

    def last(self) -> tuple[str, str, str, str]:
        event = self.seen[-1]
        assert isinstance(event, GatewayRequestEnded)
        return event.route, event.api_name, event.status, event.reason


@asynccontextmanager
async def metered(
    store: Store, realtime: Sequence[Endpoint] = (), *, access: Access = ANYONE
) -> AsyncIterator[Metered]:
    gateway, endpoints = make_gateway(store, FakeQueue(store), 100), Endpoints([*ENDPOINTS, *realtime])
    app = make_app(
        gateway,
        QUEUES,
        endpoints=endpoints,
        jobs=JobStage().jobs(),
        forwarder=Forwarder(IdleLimit(10)),
        access=access,
    )
    seen: list[Event] = []
    meter = measure_requests(app, endpoints, API_NAMES, seen.append)
    async with serving(app) as http:
        yield Metered(http=http, app=app, gateway=gateway, meter=meter, seen=seen)


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("POST", "/text", ("POST /{api_name}", "text", "2xx", "")),
        ("POST", "/text/", ("POST /{api_name}", "text", "2xx", "")),
        # The endpoint of an API counts as its name does.
        ("POST", "/v1", ("POST /{api_name}", "text", "2xx", "")),
        ("GET", "/v1/deep/id1", ("GET /{api_name}/{request_id}", "deep", "4xx", "not_found")),
        ("HEAD", "/text/id1", ("HEAD /{api_name}/{request_id}", "text", "4xx", "not_found")),
        ("GET", "/healthz", ("GET /healthz", "", "2xx", "")),
        ("GET", "/batch/sum", ("GET /batch/{api_name}", "sum", "2xx", "")),
        ("GET", "/v1/mean", ("GET /batch/{api_name}", "mean", "2xx", "")),
        ("POST", "/batch/nothing", ("POST /batch/{api_name}", "other", "4xx", "invalid_request")),
        # What clients make up gets no label of its own.
        ("POST", "/nobody", ("POST /{api_name}", "other", "4xx", "not_found")),
        ("GET", "/x/y/z/1", ("none", "", "4xx", "not_found")),
        ("PATCH", "/text", ("none", "", "4xx", "method_not_allowed")),
        ("GET", "/text/id1?wait=x", ("GET /{api_name}/{request_id}", "text", "4xx", "invalid_wait")),
    ],
)
async def test_labels_are_routes_and_apis_of_the_gateway(
    store: Store, method: str, path: str, counted: tuple[str, str, str, str]
) -> None:
    async with metered(store) as stage:
        assert await stage.counted(method, path) == counted


async def test_the_in_cluster_form_counts_apis_that_are_served_alone(store: Store) -> None:
    async with metered(store) as stage:
        for name, label in [("text", "text"), ("made-up-by-a-client", "other")]:
            counted = await stage.counted("GET", "/id1", headers={"X-Cortex-API-Name": name})
            assert counted == ("GET /{request_id}", label, "4xx", "not_found")


async def test_all_routes_are_named_before_the_first_request(store: Store) -> None:
    async with metered(store) as stage:
        names = stage.meter.route_names(stage.app)
        assert {"POST /{api_name}", "GET /{api_name}/{request_id}/events", "DELETE /batch/{api_name}"} <= names
        assert not any("/v1" in name or "none" in name for name in names)


async def test_refusals_are_counted_by_their_reason(store: Store) -> None:
    async with metered(store, access=Access(tokens=make_tokens(entry("web", apis=["text"])))) as stage:
        assert (await stage.counted("POST", "/text"))[2:] == ("4xx", "unauthorized")
        assert (await stage.counted("POST", "/other", headers=bearer("web")))[2:] == ("4xx", "forbidden")
        assert (await stage.counted("POST", "/text", headers=bearer("web"), data=b"x" * 101))[2:] == (
            "4xx",
            "payload_too_large",
        )
        store.break_at("put", "status/in_queue")
        assert (await stage.counted("POST", "/text", headers=bearer("web"), data=b"x"))[2:] == ("5xx", "unavailable")


async def test_what_a_realtime_api_refuses_is_no_refusal_of_the_gateway(store: Store) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(NOT_FOUND)
        await writer.drain()
        writer.close()

    async with tcp_server(answer) as port:
        hello = Endpoint(api_name="hello", kind="RealtimeAPI", path="/hello", address=("127.0.0.1", port))
        async with metered(store, [hello]) as stage:
            assert await stage.counted("GET", "/hello/a") == ("* /{realtime}", "hello", "4xx", "")


async def test_a_realtime_api_that_cannot_be_reached_is_a_reason(store: Store) -> None:
    [port] = free_ports(1)
    hello = Endpoint(api_name="hello", kind="RealtimeAPI", path="/hello", address=("127.0.0.1", port))
    async with metered(store, [hello]) as stage:
        assert await stage.counted("GET", "/hello") == ("* /{realtime}", "hello", "5xx", "upstream_unreachable")


async def test_what_goes_on_is_measured_and_a_client_that_leaves_has_no_status(store: Store) -> None:
    async with metered(store) as stage:
        assert stage.meter.measured(stage.app, stage.gateway).in_flight == 0

        async def slow() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.Event().wait()

        uploading = asyncio.ensure_future(stage.ask("POST", "/text", data=slow()))
        await eventually(lambda: stage.gateway.submitting == 1)
        assert stage.meter.measured(stage.app, stage.gateway).in_flight == 1
        uploading.cancel()
        await asyncio.wait({uploading})
        await eventually(lambda: stage.meter.in_flight == 0)
        assert stage.gateway.submitting == 0
        assert stage.last()[0] == "POST /{api_name}"

        store.memory.seed([("uid/workloads/text/id1/status/in_queue", b"")])
        waiting = asyncio.ensure_future(stage.ask("GET", "/text/id1?wait=60"))
        await eventually(lambda: stage.meter.measured(stage.app, stage.gateway).waiting == 1)
        store.memory.seed([("uid/workloads/text/id1/status/failed", b"")])
        assert await waiting == 200
        assert stage.meter.measured(stage.app, stage.gateway).waiting == 0


def test_classes_of_statuses() -> None:
    assert [status_class(status) for status in (None, 499, 101, 200, 599, 600, 99)] == [
        *("none", "none", "1xx", "2xx", "5xx", "other", "other"),
    ]
