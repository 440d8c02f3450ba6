"""A proxy between the sidecars and SQS and S3. It records requests and responses, and injects faults."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web
from yarl import URL

from tests.faults.injector import FaultInjector
from tests.faults.recorder import RunRecorder
from tests.faults.request_faults import RequestFaults
from tests.faults.wire_formats import Operation, Service, WireRequest, messages_in, read_request, successful
from tests.history.records import Op, Record

T = TypeVar("T")
UPSTREAM_S = 120.0
_OWN = frozenset({"host", "content-length", "connection", "transfer-encoding", "expect", "keep-alive", "date"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The response of a server."""

    status: int
    headers: dict[str, str]
    body: bytes


class Proxy:
    """Runs in its own thread, with one port for each pod.

    After a request was sent to the server, its response is always waited for, also when the sidecar closes the connection
    or is killed: an effect that is not recorded would make the history wrong.

    Args:
        upstreams: URL of each service.
        request_faults: decides which request gets a fault.
        recorder: gets the records.
    """

    def __init__(self, upstreams: dict[Service, str], request_faults: RequestFaults, recorder: RunRecorder) -> None:
        self._upstreams = upstreams
        self._request_faults = request_faults
        self._recorder = recorder
        self._refs: dict[str, str] = {}
        self._leases: dict[str, float] = {}
        self._ends: dict[str, float] = {}
        self._latest: dict[tuple[str, str], str] = {}
        self.received: dict[tuple[str, str], list[tuple[float, str]]] = {}
        """The deliveries with their time, by sidecar and message id."""
        self.problems: list[str] = []
        self._forwarding: set[asyncio.Task[Response]] = set()
        self._runners: list[web.ServerRunner] = []
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="fault-proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all faults and connections, and wait for all responses of the servers."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()

    def open(self, pod: str) -> str:
        """Open a port for a pod, and return its URL."""
        return self._in_loop(self._open(pod))

    def clear(self) -> None:
        """End all faults, also those of running requests."""
        self._request_faults.clear()
        self._loop.call_soon_threadsafe(self._injector.release)

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._injector = FaultInjector()
        # One connection for each request. If the server closed a kept connection at that moment, the effect would be
        # unknown.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=UPSTREAM_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            self._session = session
            self._listening.set()
            await self._stopped.wait()
            self._injector.release()
            for runner in self._runners:
                await runner.cleanup()
            while self._forwarding:
                await asyncio.wait(set(self._forwarding))

    async def _open(self, pod: str) -> str:
        # A request whose sidecar closes the connection during a delay is cancelled, and never reaches the server.
        server = web.Server(lambda request: self._serve(pod, request), handler_cancellation=True)
        runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _serve(self, pod: str, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        sidecar = self._recorder.name_at(pod, self._recorder.now())
        wire = self._attribute(sidecar, read_request(request.method, request.raw_path, request.headers, body))
        for operation in wire.operations:
            self._record_asked(pod, sidecar, operation)
        fault = self._request_faults.draw(wire.service, wire.op)
        if fault is not None and not fault.after and (answer := await self._injector.before(fault, wire, request)):
            return answer
        forwarding = asyncio.create_task(self._forward(pod, sidecar, wire, request, body), name="forward")
        self._forwarding.add(forwarding)
        forwarding.add_done_callback(self._forwarding.discard)
        upstream = await asyncio.shield(forwarding)
        if fault is not None and fault.after:
            return await self._injector.after(fault, wire, request, upstream.status, upstream.headers, upstream.body)
        return web.Response(status=upstream.status, headers=upstream.headers, body=upstream.body)

    def _attribute(self, sidecar: str, wire: WireRequest) -> WireRequest:
        operations = [self._attributed(sidecar, operation) for operation in wire.operations]
        return WireRequest(service=wire.service, op=wire.op, operations=operations, lease_s=wire.lease_s)

    def _attributed(self, sidecar: str, operation: Operation) -> Operation:
        op: Op = operation.op
        ref, delivery = operation.ref, operation.delivery
        if delivery:
            ref = self._refs.get(delivery, "")
            # A release with exactly the length of a lease looks like a renewal. It is checked as a renewal, which is
            # less strict.
            if op == "extend" and operation.seconds != self._leases.get(delivery):
                op = "release"
        elif ref:
            delivery = self._latest.get((sidecar, ref), "")
        return Operation(
            op=op,
            ref=ref,
            delivery=delivery,
            name=operation.name,
            digest=operation.digest,
            seconds=operation.seconds,
            entry=operation.entry,
        )

    def _record_asked(self, pod: str, sidecar: str, operation: Operation) -> None:
        at = self._recorder.now()
        if at > self._ends.get(operation.delivery, at):
            at = self._recorder.sent_at(pod, operation.ref, at)
        self._recorder.record(_record(operation, at, "asked", sidecar))

    async def _forward(
        self, pod: str, sidecar: str, wire: WireRequest, request: web.BaseRequest, body: bytes
    ) -> Response:
        url = URL(self._upstreams[wire.service] + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The servers are never killed, because they keep their data in memory. So a missing response is a problem.
            self.problems.append(f"the server did not answer {wire.op}: {type(error).__name__}: {error}")
            return Response(status=500, headers={}, body=b"")
        at = self._recorder.now()
        if wire.op == "ReceiveMessage" and response.status == 200:
            self._record_delivered(at, pod, sidecar, wire, content)
        for operation in successful(wire, response.status, content):
            if operation.op == "extend":
                self._ends[operation.delivery] = at + operation.seconds
            self._recorder.record(_record(operation, at, "done", sidecar))
        kept = {name: value for name, value in response.headers.items() if name.lower() not in _OWN}
        return Response(status=response.status, headers=kept, body=content)

    def _record_delivered(self, at: float, pod: str, sidecar: str, wire: WireRequest, content: bytes) -> None:
        for delivered in messages_in(content, wire.lease_s):
            self._refs[delivered.delivery] = delivered.ref
            self._leases[delivered.delivery] = delivered.seconds
            self._ends[delivered.delivery] = at + delivered.seconds
            self._latest[sidecar, delivered.ref] = delivered.delivery
            self._recorder.delivered(pod, sidecar, delivered.ref)
            self.received.setdefault((sidecar, delivered.message_id), []).append((at, delivered.delivery))
            self._recorder.record(
                Record(
                    at=at,
                    what="delivered",
                    sidecar=sidecar,
                    ref=delivered.ref,
                    delivery=delivered.delivery,
                    seconds=delivered.seconds,
                    count=delivered.count,
                )
            )


def _record(operation: Operation, at: float, what: Any, sidecar: str) -> Record:
    return Record(
        at=at,
        what=what,
        sidecar=sidecar,
        ref=operation.ref,
        delivery=operation.delivery,
        op=operation.op,
        name=operation.name,
        digest=operation.digest,
        seconds=operation.seconds,
    )
