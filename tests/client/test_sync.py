"""The client without asyncio: in scripts, threads, and where a loop runs already."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dequeuer.client import ApiJobs, ApiRequests, Client, Request, RequestFailedError, RequestRefusedError, SyncClient
from dequeuer.client.loop_thread import Iteration, LoopThread
from dequeuer.client.sync import SyncApiRequests, SyncRequest
from dequeuer.client.sync_jobs import SyncApiJobs
from tests.jobs.stage import JOB

DEADLINE_S = 60


class GatewayServer(ThreadingHTTPServer):
    """A gateway whose requests end at once: one fails when its payload is `"bad"`, others have it as their result."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.payloads: dict[str, Any] = {}
        self.changes: list[str] = []
        """The targets of requests that change an API."""
        self.hangs = threading.Event()
        """Somebody waits for a request that never ends."""
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GatewayServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        pass

    def _send(self, document: Any, status: int = 200) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _status(self, request_id: str) -> dict[str, Any]:
        payload = self.server.payloads[request_id]
        if payload == "endless":
            self.server.hangs.set()
            threading.Event().wait(DEADLINE_S)
        if payload == "bad":
            return {"id": request_id, "status": "failed", "error": {"code": "container_status", "message": "no"}}
        return {"id": request_id, "status": "completed", "result": payload}

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/batch/"):
            return self._send({"job_id": JOB})
        if self.path == "/iris/predict":
            return self._send({"label": body})
        with self.server.lock:
            request_id = f"id{len(self.server.payloads)}"
            self.server.payloads[request_id] = body
        return self._send(self._status(request_id) if "Prefer" in self.headers else {"id": request_id})

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].split("/")[-1]
        if self.path.startswith("/batch/api/results"):
            self._send(b'{"index":0,"result":1}\n{"index":1,"result":2}\n')
        elif self.path.startswith("/api/_dead-letters"):
            self._send({"queue": self.path, "messages": 1, "dead_letters": [{"message_id": "m1"}]})
        elif self.path.startswith("/api?"):
            listed = [self._status(request_id) | {"result": None} for request_id in self.server.payloads]
            self._send({"requests": listed})
        elif name == "events":
            self._send(b"data: %b\n\n" % json.dumps(self._status(self.path.split("/")[-2])).encode())
        elif name in self.server.payloads:
            self._send(self._status(name))
        else:
            self._send(b"error: id %b not found" % name.encode(), 404)

    def do_DELETE(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.server.changes.append(self.path)
        self._send({"paused": "2026-11-27T05:58:12Z", "moved": 3, "left": 4})


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    server = GatewayServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "dequeuer-client"]


def test_a_script_has_the_same_methods(gateway: GatewayServer) -> None:
    with SyncClient(gateway.url) as client:
        api = client.api("api")
        request = api.submit({"n": 1})
        assert (request.result(), request.wait().state, request.status().state) == ({"n": 1}, "completed", "completed")
        assert [one.state for one in request.events()] == ["completed"]
        assert request.cancel().id == api.cancel(request.id).id == request.id
        assert api.run([2]).result() == api.result("id1") == [2]
        assert list(api.result_chunks("id1")) == list(api.chunks_of(api.status("id1"))) == [b"[2]"]
        with pytest.raises(RequestFailedError, match="no"):
            api.submit("bad").result()
        with pytest.raises(RequestRefusedError, match="not found"):
            api.status("id9")
        assert [one.id for one in api.list()] == [one.id for one in api.page().requests] == ["id0", "id1", "id2"]
        assert client.call("iris", "/predict", 5).json() == {"label": 5}
        assert client.jobs("api").submit(b"{}")["job_id"] == JOB
        assert [json.loads(line)["result"] for line in client.jobs("api", "batch").results(JOB)] == [1, 2]
    assert threads() == []


def test_a_script_pauses_an_api_and_looks_at_its_dead_letters(gateway: GatewayServer) -> None:
    with SyncClient(gateway.url) as client:
        api = client.api("api")
        assert api.pause() == datetime(2026, 11, 27, 5, 58, 12, tzinfo=UTC)
        api.resume()
        letters = api.dead_letters(5, "high")
        assert (letters.queue, letters.letters[0].message_id) == ("/api/_dead-letters?limit=5&priority=high", "m1")
        sent_back = api.redrive("high")
        assert (sent_back.moved, sent_back.left) == (3, 4)
    assert gateway.changes == [
        "/api?action=pause",
        "/api?action=resume",
        "/api/_dead-letters?action=redrive&priority=high",
    ]


def methods(of: type) -> dict[str, list[str]]:
    """Return the parameters of each public method of a class."""
    named = inspect.getmembers(of, inspect.isfunction)
    return {name: [*inspect.signature(one).parameters] for name, one in named if not name.startswith("_")}


@pytest.mark.parametrize(
    ("of_asyncio", "without", "more"),
    [
        (Client, SyncClient, {"close"}),
        (ApiRequests, SyncApiRequests, set()),
        (Request, SyncRequest, set()),
        (ApiJobs, SyncApiJobs, set()),
    ],
)
def test_both_clients_have_the_same_methods_with_the_same_arguments(
    of_asyncio: type, without: type, more: set[str]
) -> None:
    found = methods(without)
    assert found.keys() >= more
    assert {name: taken for name, taken in found.items() if name not in more} == methods(of_asyncio)


@pytest.mark.parametrize(("request_class", "api"), [(Request, ApiRequests), (SyncRequest, SyncApiRequests)])
def test_a_request_has_each_method_of_its_api_about_one_request(request_class: type, api: type) -> None:
    about_one = {name: taken for name, taken in methods(api).items() if taken[1:2] == ["request_id"]}
    assert about_one.keys() >= {"status", "wait", "result_chunks"}
    assert methods(request_class) == {name: [own, *more] for name, (own, _, *more) in about_one.items()}


def test_many_payloads_are_read_in_the_thread_of_the_caller(gateway: GatewayServer) -> None:
    readers: set[int] = set()

    def payloads() -> Iterator[Any]:
        for number in range(30):
            readers.add(threading.get_ident())
            yield "bad" if number == 7 else number

    with SyncClient(gateway.url) as client:
        outcomes = list(client.api("api").map(payloads(), concurrency=4))
        assert [one.index for one in outcomes] == [*range(30)]
        assert [one.index for one in outcomes if one.error is not None] == [7]
        assert {one.result() for one in client.api("api").map([1, 2, 3], ordered=False)} == {1, 2, 3}
        with pytest.raises(RequestFailedError):
            list(client.api("api").map(["bad"], stop_on_error=True))
        with pytest.raises(ValueError, match="concurrency is 0"):
            next(client.api("api").map([1], concurrency=0))
    assert readers == {threading.get_ident()}


def test_payloads_are_read_as_fast_as_outcomes_are_taken(gateway: GatewayServer) -> None:
    read: list[int] = []

    def payloads() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    with SyncClient(gateway.url) as client, closing(client.api("api").map(payloads(), concurrency=4)) as outcomes:
        assert [next(outcomes).payload for _ in range(3)] == [0, 1, 2]
    assert len(read) == 6


def test_an_error_of_the_payloads_comes_after_the_outcomes_before_it(gateway: GatewayServer) -> None:
    def payloads() -> Iterator[int]:
        yield 1
        raise OSError("the file has gone")

    taken = []
    with SyncClient(gateway.url) as client, pytest.raises(OSError, match="the file has gone"):
        for outcome in client.api("api").map(payloads()):
            taken.append(outcome.result())  # noqa: PERF401 - those before the error are looked at
    assert taken == [1]


async def test_it_works_where_a_loop_runs_already(gateway: GatewayServer) -> None:
    with SyncClient(gateway.url) as client:
        assert client.api("api").run(1).result() == 1


def test_several_threads_may_have_one_client(gateway: GatewayServer) -> None:
    with SyncClient(gateway.url) as client, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: client.api("api").run(number).result(), range(50))) == [*range(50)]


def test_closing_ends_the_waits_of_other_threads(gateway: GatewayServer) -> None:
    client = SyncClient(gateway.url)
    api = client.api("api")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.run, "endless")
        assert gateway.hangs.wait(DEADLINE_S)
        client.close()
        with pytest.raises(RuntimeError, match="closed meanwhile"):
            waiting.result(DEADLINE_S)
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        api.run(1)
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.api("api")
    assert threads() == []


def test_a_client_that_is_forgotten_leaves_no_thread(gateway: GatewayServer) -> None:
    api = SyncClient(gateway.url).api("api")
    gc.collect()
    assert api.run(1).result() == 1  # who has the API has the client
    assert threads() == ["dequeuer-client"]
    del api
    gc.collect()
    assert threads() == []


def test_a_script_that_does_not_close_its_client_ends_quietly(gateway: GatewayServer) -> None:
    script = f"from dequeuer.client import SyncClient; print(SyncClient({gateway.url!r}).api('api').run(1).result())"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert (ran.stdout, ran.stderr) == ("1\n", "")


FORKED = """
import os, sys
from dequeuer.client import SyncClient

client = SyncClient(sys.argv[1])
api = client.api("api")
if os.fork() == 0:
    for call in (lambda: api.run(1), lambda: list(api.list())):
        try:
            print(call())
        except RuntimeError as error:
            print(error)
    client.close()
    with SyncClient(sys.argv[1]) as own:
        print(own.api("api").run(2).result(), flush=True)
    os._exit(0)
os.wait()
print(api.run(3).result())
"""


def test_a_client_from_before_a_fork_says_so_instead_of_waiting_for_ever(gateway: GatewayServer) -> None:
    """Servers that load a program once and fork it for each worker: the thread of the client is in the first alone."""
    command = [sys.executable, "-c", FORKED, gateway.url]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    fault = "the client was made before this process was forked: make one in each process"
    assert (ran.stdout.splitlines(), ran.stderr) == ([fault, fault, "2", "3"], "")


class Broken(nullcontext[None]):
    """A context that cannot be entered."""

    async def __aenter__(self) -> None:
        raise OSError("cannot be opened")


@contextmanager
def loop_thread() -> Generator[LoopThread, None, None]:
    thread = LoopThread(nullcontext())
    yield thread
    thread.close()


def test_an_error_of_the_begin_is_raised() -> None:
    with pytest.raises(OSError, match="cannot be opened"):
        LoopThread(Broken())
    assert threads() == []


def test_a_call_from_the_own_thread_is_refused_before_it_waits_for_itself() -> None:
    async def call(thread: LoopThread) -> None:
        thread.run(asyncio.sleep(0))

    with loop_thread() as thread, pytest.raises(RuntimeError, match="would wait for itself"):
        thread.run(call(thread))


def test_an_iteration_that_is_left_ends_its_generator() -> None:
    ended = threading.Event()

    async def numbers() -> Any:
        try:
            for number in range(10):
                yield number
        finally:
            await asyncio.sleep(0)
            ended.set()

    with loop_thread() as thread:
        with closing(thread.iterate(numbers())) as found:
            assert [next(found), next(found)] == [0, 1]
        assert ended.is_set()
        late = thread.iterate(numbers())
        next(late)
    with pytest.raises(RuntimeError, match="the client is closed"):
        next(late)


async def test_a_step_that_was_cancelled_ends_before_the_generator_is_closed() -> None:
    ended = []

    async def slow() -> AsyncGenerator[int, None]:
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            ended.append("unwound")

    iteration = Iteration(slow())
    step = asyncio.create_task(iteration.next())
    await asyncio.sleep(0)
    step.cancel()
    await asyncio.sleep(0)
    await iteration.close()
    assert ended == ["unwound"]
    assert step.cancelled()
