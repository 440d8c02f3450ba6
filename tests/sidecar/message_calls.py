"""Counts the calls between files that one request makes on its way through the sidecar.

`python -m tests.sidecar.message_calls` prints them, one a line. `test_message_calls.py` holds their number, so that the
way of a message stays short enough to be read.

Method: the real sidecar runs on the canned servers of the bench. Async requests come one at a time; each has a payload
of 100 KB in S3 (it is streamed to the container) and a small result. After `WARM_UP_REQUESTS`, a profile function on
the thread of the event loop records each call whose caller and callee are in different files of `dequeuer/`. Functions
of other packages between the two (asyncio, functools) are skipped. Of several requests the one with the fewest calls
counts: on a slow machine, work of more than a second adds look-ups.

- A pair of functions counts once, however often one calls the other: a reader follows it once. So the number of chunks
  in which a payload happens to arrive makes no difference. A coroutine or generator that is resumed is not called.
- Calls made by `worker`, `concurrency`, `handlers`, `core`, `sources` and the files of `sinks` itself count. What a
  client of S3, SQS or the container does for one HTTP request is its own matter, and the same for each of them.
- Calls to observers do not count: events go to all of them in the same way.
- A call is downward when the callee is in a lower layer (import-linter's contract in `pyproject.toml`), or in the same
  layer and imported by the caller's file, directly or by way of others. All other calls go through a callback or a
  protocol, so that a reader cannot follow an import.
"""

from __future__ import annotations

import ast
import asyncio
import dis
import os
import signal
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from types import CodeType, FrameType
from typing import NamedTuple

from bench.canned.container import Container
from bench.canned.http import Connection
from bench.canned.s3 import S3
from bench.canned.sqs import Sqs
from bench.canned.state import Shape, State
from dequeuer.settings import load_sidecar
from dequeuer.sidecar.app import run_sidecar
from tests.integration.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = f"{ROOT / 'dequeuer'}{os.sep}"
WARM_UP_REQUESTS = 2
COUNTED_REQUESTS = 3
DEADLINE_S = 60.0
COUNTED_ROOMS = frozenset({"worker", "concurrency", "handlers", "core", "sources"})


class Call(NamedTuple):
    """A call between two files of `dequeuer/`."""

    caller_file: str
    caller: str
    file: str
    function: str


class Recorder:
    """The profile function. `calls` is replaced for each request by the thread that sends them."""

    def __init__(self) -> None:
        self.calls: set[Call] = set()

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or (file := _file_of(frame)) is None or frame.f_lasti > _start_of(frame.f_code):
            return
        caller = frame.f_back
        while caller is not None and _file_of(caller) is None:
            caller = caller.f_back
        caller_file = None if caller is None else _file_of(caller)
        # Everything runs below the call that started the event loop.
        if caller is None or caller_file is None or caller_file in {"process/running.py", file}:
            return
        call = Call(caller_file, caller.f_code.co_qualname, file, frame.f_code.co_qualname)
        if _is_counted(call):
            self.calls.add(call)


@cache
def _start_of(code: CodeType) -> int:
    """Return where the function begins: a coroutine or generator that is resumed is behind this place."""
    return next(step.offset for step in dis.get_instructions(code) if step.opname == "RESUME")


def _file_of(frame: FrameType) -> str | None:
    name = frame.f_code.co_filename
    return name.removeprefix(PACKAGE) if name.startswith(PACKAGE) else None


def _is_observer(file: str) -> bool:
    return file.startswith("observability/") or file == "core/refusals.py"


def _is_counted(call: Call) -> bool:
    room, _, rest = call.caller_file.partition("/")
    is_on_the_way = room in COUNTED_ROOMS or (room == "sinks" and "/" not in rest)
    return is_on_the_way and not _is_observer(call.caller_file) and not _is_observer(call.file)


class Layers:
    """Which calls are downward."""

    def __init__(self) -> None:
        [contract] = [
            contract
            for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
                "importlinter"
            ]["contracts"]
            if contract["type"] == "layers"
        ]
        self._depths = {
            room.strip(): depth for depth, layer in enumerate(contract["layers"]) for room in layer.split("|")
        }
        self._imports: dict[str, set[str]] = {}

    def is_downward(self, call: Call) -> bool:
        """Return whether a reader can follow a call by the imports of its caller."""
        caller, callee = (self._depths[file.split("/")[0]] for file in (call.caller_file, call.file))
        return caller < callee or (caller == callee and self._reaches(call.caller_file, call.file))

    def _reaches(self, start: str, end: str) -> bool:
        seen: set[str] = set()
        left = [start]
        while left:
            file = left.pop()
            if file not in seen:
                seen.add(file)
                left += self._imported_by(file)
        return end in seen

    def _imported_by(self, file: str) -> set[str]:
        if file not in self._imports:
            self._imports[file] = set(_imports(Path(PACKAGE) / file))
        return self._imports[file]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dequeuer."):
            module = str(node.module).removeprefix("dequeuer.").replace(".", "/")
            # `from dequeuer.sinks.s3 import errors` imports a module of a package.
            for name in (module, *(f"{module}/{alias.name}" for alias in node.names)):
                if Path(f"{PACKAGE}{name}.py").is_file():
                    yield f"{name}.py"


class CannedServers(threading.Thread):
    """Serves the sidecar, sends it one request after the other, and stops the process in the end."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(name="canned-servers")
        self._recorder = recorder
        self._state = State()
        self._sqs = Sqs(self._state)
        self._is_serving = threading.Event()
        self.ports: list[int] = []
        self.counted: list[set[Call]] = []

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def start_and_wait(self) -> None:
        """Start, and return when `ports` (SQS, S3, the container) is known."""
        self.start()
        if not self._is_serving.wait(DEADLINE_S):
            raise TimeoutError("the servers did not start")

    async def _serve(self) -> None:
        self._state.begin(Shape(payload_bytes=100 * 1024))
        self._sqs.reset()
        loop = asyncio.get_running_loop()
        for serve in (self._sqs.serve, S3(self._state).serve, Container(self._state).serve):
            server = await loop.create_server(partial(Connection, serve), "127.0.0.1", 0)
            self.ports.append(server.sockets[0].getsockname()[1])
        self._is_serving.set()
        async with asyncio.timeout(DEADLINE_S):
            await self._exceeds("ReceiveMessage", 0)
            for _ in range(WARM_UP_REQUESTS):
                await self._send_request()
            for _ in range(COUNTED_REQUESTS):
                self._recorder.calls = set()
                await self._send_request()
                # What follows the last response to a request is seen by no server. It is over when the next request
                # has reached the container, and that request makes no other calls.
                posts = self._state.requests["POST"]
                sending = asyncio.create_task(self._send_request())
                await self._exceeds("POST", posts)
                self.counted.append(self._recorder.calls)
                await sending

    async def _send_request(self) -> None:
        """Put a message into the queue; return when the input is deleted and the next long poll waits at the queue."""
        before = self._state.requests.copy()
        self._sqs.queue.put()
        for operation in ("DeleteObjects", "ReceiveMessage"):
            await self._exceeds(operation, before[operation])

    async def _exceeds(self, operation: str, times: int) -> None:
        while self._state.requests[operation] <= times:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


def environment(ports: list[int], folder: Path) -> Mapping[str, str]:
    """Return the settings of the sidecar. `ports`: of SQS, S3 and the container."""
    sqs, s3, container = ports
    return {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{sqs}",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "DEQUEUER_API_KIND": "async",
        "DEQUEUER_API_NAME": "api",
        "DEQUEUER_CLUSTER_UID": "cluster",
        "DEQUEUER_BUCKET": "bucket",
        "DEQUEUER_QUEUE_URL": f"http://127.0.0.1:{sqs}/123456789012/queue",
        "DEQUEUER_USER_PORT": str(container),
        "DEQUEUER_ADMIN_HOST": "127.0.0.1",
        "DEQUEUER_ADMIN_PORT": str(free_port()),
        "DEQUEUER_PROBES_PATH": str(folder / "probes.json"),
        # The lifecycle rule is read in the background, at a time of its own.
        "DEQUEUER_RESULT_RETENTION_DAYS": "0",
        "DEQUEUER_LOG_LEVEL": "error",
    }


def count() -> set[Call]:
    """Run the sidecar in this process until it has handled all requests; return the calls of one of them.

    Only for a process of its own: the sidecar takes its signal handlers, its environment and its logging.
    """
    recorder = Recorder()
    servers = CannedServers(recorder)
    servers.start_and_wait()
    settings = environment(servers.ports, Path(mkdtemp()))
    os.environ.update(settings)
    sys.setprofile(recorder)
    try:
        run_sidecar(load_sidecar([], settings))
    finally:
        sys.setprofile(None)
        servers.join()
    return min(servers.counted, key=len)


def main() -> None:
    """Print the calls; those that are not downward begin with `up`."""
    layers = Layers()
    for call in sorted(count()):
        kind = "down" if layers.is_downward(call) else "up"
        print(f"{kind:4} {call.caller_file} {call.caller} -> {call.file} {call.function}")


if __name__ == "__main__":
    main()
