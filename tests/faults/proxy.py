"""A proxy between sidecars and SQS and S3: it takes down what everybody asks for and gets, and does harm by a plan."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web
from yarl import URL

from tests.faults.harm import Harm
from tests.faults.notebook import Notebook
from tests.faults.plan import Plan
from tests.faults.wire_formats import Ask, Service, Wire, granted, messages_in, read_request
from tests.history.records import Op, Record

T = TypeVar("T")
UPSTREAM_S = 120.0
_OWN = frozenset({"host", "content-length", "connection", "transfer-encoding", "expect", "keep-alive", "date"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes


class Proxy:
    """Runs in a thread of its own, with one port for each pod.

    What was sent to the server is always followed to its end, even if the sidecar hangs up or dies: a change whose
    effect is not on record would make the history lie.

    Args:
        upstreams: URL of each service.
        plan: of the faults.
        notebook: gets the records.
    """

    def __init__(self, upstreams: dict[Service, str], plan: Plan, notebook: Notebook) -> None:
        self._upstreams = upstreams
        self._plan = plan
        self._notebook = notebook
        self._refs: dict[str, str] = {}
        self._leases: dict[str, float] = {}
        self._ends: dict[str, float] = {}
        self._latest: dict[tuple[str, str], str] = {}
        self.received: dict[tuple[str, str], list[tuple[float, str]]] = {}
        """By sidecar and message id: the deliveries handed out, and when."""
        self.problems: list[str] = []
        self._forwarding: set[asyncio.Task[Answer]] = set()
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
        """End all faults and connections, and wait for every answer of the servers."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()

    def open(self, pod: str) -> str:
        """Open a port for a pod; return its URL."""
        return self._in_loop(self._open(pod))

    def calm(self) -> None:
        """End all faults, also those that are under way."""
        self._plan.calm()
        self._loop.call_soon_threadsafe(self._harm.release)

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._harm = Harm()
        # A connection a request: one that the server closes at the same moment would leave a change in doubt.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=UPSTREAM_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            self._session = session
            self._listening.set()
            await self._stopped.wait()
            self._harm.release()
            for runner in self._runners:
                await runner.cleanup()
            while self._forwarding:
                await asyncio.wait(set(self._forwarding))

    async def _open(self, pod: str) -> str:
        # Whoever hangs up while a request is held up has not sent it, as far as the server is concerned.
        server = web.Server(lambda request: self._serve(pod, request), handler_cancellation=True)
        runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _serve(self, pod: str, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        sidecar = self._notebook.name_at(pod, self._notebook.now())
        wire = self._attribute(sidecar, read_request(request.method, request.raw_path, request.headers, body))
        for ask in wire.asks:
            self._note_asked(pod, sidecar, ask)
        fault = self._plan.draw(wire.service, wire.op)
        if fault is not None and not fault.after and (answer := await self._harm.before(fault, wire, request)):
            return answer
        forwarding = asyncio.create_task(self._forward(pod, sidecar, wire, request, body), name="forward")
        self._forwarding.add(forwarding)
        forwarding.add_done_callback(self._forwarding.discard)
        upstream = await asyncio.shield(forwarding)
        if fault is not None and fault.after:
            return await self._harm.after(fault, wire, request, upstream.status, upstream.headers, upstream.body)
        return web.Response(status=upstream.status, headers=upstream.headers, body=upstream.body)

    def _attribute(self, sidecar: str, wire: Wire) -> Wire:
        asks = [self._attributed(sidecar, ask) for ask in wire.asks]
        return Wire(service=wire.service, op=wire.op, asks=asks, lease_s=wire.lease_s)

    def _attributed(self, sidecar: str, ask: Ask) -> Ask:
        op: Op = ask.op
        ref, delivery = ask.ref, ask.delivery
        if delivery:
            ref = self._refs.get(delivery, "")
            # A release for just as long as a lease looks like a renewal, and is judged as one: too mildly.
            if op == "extend" and ask.seconds != self._leases.get(delivery):
                op = "release"
        elif ref:
            delivery = self._latest.get((sidecar, ref), "")
        return Ask(
            op=op,
            ref=ref,
            delivery=delivery,
            name=ask.name,
            digest=ask.digest,
            seconds=ask.seconds,
            entry=ask.entry,
        )

    def _note_asked(self, pod: str, sidecar: str, ask: Ask) -> None:
        at = self._notebook.now()
        if at > self._ends.get(ask.delivery, at):
            at = self._notebook.sent_at(pod, ask.ref, at)
        self._notebook.note(_record(ask, at, "asked", sidecar))

    async def _forward(self, pod: str, sidecar: str, wire: Wire, request: web.BaseRequest, body: bytes) -> Answer:
        url = URL(self._upstreams[wire.service] + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The servers are stopped and cut off, never killed: they would forget everything.
            self.problems.append(f"the server did not answer {wire.op}: {type(error).__name__}: {error}")
            return Answer(status=500, headers={}, body=b"")
        at = self._notebook.now()
        if wire.op == "ReceiveMessage" and response.status == 200:
            self._note_given(at, pod, sidecar, wire, content)
        for ask in granted(wire, response.status, content):
            if ask.op == "extend":
                self._ends[ask.delivery] = at + ask.seconds
            self._notebook.note(_record(ask, at, "done", sidecar))
        kept = {name: value for name, value in response.headers.items() if name.lower() not in _OWN}
        return Answer(status=response.status, headers=kept, body=content)

    def _note_given(self, at: float, pod: str, sidecar: str, wire: Wire, content: bytes) -> None:
        for given in messages_in(content, wire.lease_s):
            self._refs[given.delivery] = given.ref
            self._leases[given.delivery] = given.seconds
            self._ends[given.delivery] = at + given.seconds
            self._latest[sidecar, given.ref] = given.delivery
            self._notebook.given(pod, sidecar, given.ref)
            self.received.setdefault((sidecar, given.message_id), []).append((at, given.delivery))
            self._notebook.note(
                Record(
                    at=at,
                    what="delivered",
                    sidecar=sidecar,
                    ref=given.ref,
                    delivery=given.delivery,
                    seconds=given.seconds,
                    count=given.count,
                )
            )


def _record(ask: Ask, at: float, what: Any, sidecar: str) -> Record:
    return Record(
        at=at,
        what=what,
        sidecar=sidecar,
        ref=ask.ref,
        delivery=ask.delivery,
        op=ask.op,
        name=ask.name,
        digest=ask.digest,
        seconds=ask.seconds,
    )
