"""A job whose results are kept: its queue, its buckets and its container in memory. Any call can kill the process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from dequeuer.core.drain import Drain
from dequeuer.core.message import Done, Message, Outcome, Reject
from dequeuer.handlers.base import Handler
from dequeuer.handlers.batch_api.answer import AnswerReader
from dequeuer.handlers.batch_api.completion import Completion
from dequeuer.handlers.batch_api.failures import FailureRecorder
from dequeuer.handlers.batch_api.final_failure import FailBatch
from dequeuer.handlers.batch_api.handler import BatchHandler, is_completion
from dequeuer.handlers.batch_api.records import FailureRecords
from dequeuer.handlers.batch_api.results import JobResults
from dequeuer.handlers.bugs import BugBoundary
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sinks.base import Check, Payload, unchecked
from dequeuer.sinks.layout import output_keys
from dequeuer.sources.base import Depth
from dequeuer.sources.sqs.sending import OutgoingMessage
from tests.fakes import FakeSource, MemoryStore, OpenFence, Recorder
from tests.handlers.stage import Reply, Request, ScriptedResponse

KEYS = output_keys("out/", "67f0")
FAILURES = "uid/failures/"
MAX_RESULT_BYTES = 4 * 1024 * 1024

Answer = Callable[[list[Any]], Reply]
"""The container: from the items of a batch to its reply."""


class KilledError(BaseException):
    """The process is killed."""


@dataclass
class Killer:
    """Counts calls; kills at one of them, before or after its effect."""

    at: int = -1
    calls: int = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise KilledError


class MortalStore(MemoryStore):
    """A store whose calls can kill the process."""

    killer: Killer

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        self.killer()
        is_written = await super().create(key, body, content_type, check=check)
        self.killer()
        return is_written

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        self.killer()
        is_written = await super().put_stream(key, body, content_type, size=size, check=check)
        self.killer()
        return is_written

    async def list(self, prefix: str) -> Sequence[str]:
        self.killer()
        return await super().list(prefix)

    async def get(self, key: str) -> Payload:
        self.killer()
        return await super().get(key)


@dataclass
class FifoQueue:
    """The queue: messages with their receives; deduplicates what is sent."""

    killer: Killer
    max_receives: int | None = None
    messages: dict[str, tuple[Message, int]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    dead: list[Message] = field(default_factory=list)
    max_message_bytes: int = 262_144
    failures: list[Exception] = field(default_factory=list)

    async def open(self) -> None:
        return

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        self.killer()
        if self.failures:
            raise self.failures.pop(0)
        for one in messages:
            assert one.size <= self.max_message_bytes
            self.put(one.id, one.body, one.attributes)
        self.killer()

    def put(self, name: str, body: str, attributes: Mapping[str, str]) -> None:
        if name not in self.seen:
            self.seen.add(name)
            message = Message(id=name, body=body, receive_count=1, sent_at=None, attributes=attributes)
            self.messages[name] = (message, 0)

    def receive(self) -> Message | None:
        """Return a message, which stays in the queue until it is deleted."""
        while self.messages:
            name, (message, count) = next(iter(self.messages.items()))
            if self.max_receives is not None and count >= self.max_receives:
                self.dead.append(message)
                del self.messages[name]
                continue
            self.messages[name] = (message, count + 1)
            return replace(message, receive_count=count + 1, max_receives=self.max_receives)
        return None


class Container:
    """`Target` that computes its reply."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Request] = []

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[ScriptedResponse]:
        assert isinstance(body, bytes)
        self.requests.append(Request(path, list(headers), body))
        reply = self.answer(json.loads(body))
        if reply.error is not None:
            raise reply.error
        yield ScriptedResponse(reply)


class Job:
    """One job. `work` is a worker, which is started again when it was killed."""

    def __init__(
        self, answer: Answer, *, max_receives: int | None = None, max_attempts: int = 3, keeps_results: bool = True
    ) -> None:
        self.killer = Killer()
        self.store = MortalStore()
        self.store.killer = self.killer
        self.queue = FifoQueue(self.killer, max_receives)
        self.container = Container(answer)
        self.seen = Recorder()
        self.drain = Drain()
        self.keeps_results = keeps_results
        self.policy = ResponsePolicy(max_attempts=max_attempts, retry_statuses=frozenset({429, 503}))
        self.items: dict[int, Any] = {}
        self.fence = OpenFence()
        self.reader: AnswerReader | None = None

    def use(self, killer: Killer) -> None:
        self.killer = self.store.killer = self.queue.killer = killer

    def enqueue(self, index: int, *items: Any, first: int | None = None) -> None:
        """Put a batch into the queue."""
        first = len(self.items) if first is None else first
        self.items |= {first + at: item for at, item in enumerate(items)}
        attributes = {"api_name": "api", "job_id": "67f0", "batch_index": str(index), "item_index": str(first)}
        self.queue.put(f"67f0-{index}", json.dumps(list(items)), attributes)

    def process(self) -> Handler:
        """Return the handler of a new process."""
        self.reader = AnswerReader(MAX_RESULT_BYTES)
        records = FailureRecords(self.store, FAILURES)
        results = JobResults(
            store=self.store,
            keys=KEYS,
            sender=self.queue,
            api_name="api",
            job_id="67f0",
            reader=self.reader,
            max_attempts=self.policy.max_attempts,
            records=records,
            observer=self.seen,
        )
        kept = results if self.keeps_results else None
        completion = Completion(
            job_id="67f0",
            queue=FakeSource(depths=[Depth(visible=0, in_flight=1, delayed=0)]),
            target=self.container,
            delay_s=10,
            policy=self.policy,
            drain=self.drain,
            observer=self.seen,
        )
        handler = BatchHandler(
            job_id="67f0",
            target=self.container,
            completion=completion,
            policy=self.policy,
            drain=self.drain,
            observer=self.seen,
            results=kept,
        )
        fail = FailBatch(completion=completion, observer=self.seen)
        return FailureRecorder(
            BugBoundary(handler, fail, self.policy.max_attempts),
            is_completion=is_completion,
            records=records,
            results=kept,
            observer=self.seen,
        )

    async def work(self) -> list[Outcome]:
        """Handle and settle messages until there are none."""
        handler, outcomes = self.process(), []
        while (message := self.queue.receive()) is not None:
            outcome = await handler.handle(message, self.fence)
            self.killer()
            outcomes.append(outcome)
            if isinstance(outcome, Done) or (isinstance(outcome, Reject) and self.queue.max_receives is None):
                del self.queue.messages[message.id]
                self.killer()
        return outcomes

    async def work_through(self) -> None:
        """Work until there are no messages, whatever kills the process in between."""
        while True:
            try:
                await self.work()
            except KilledError:
                continue
            return

    def text(self, key: str) -> bytes:
        return self.store.objects[key][0]

    def lines(self, folder: str) -> list[Any]:
        """Return all lines of the objects in a folder of the output."""
        keys = sorted(key for key in self.store.objects if key.startswith(f"{KEYS.prefix}{folder}/"))
        return [json.loads(line) for key in keys for line in self.text(key).splitlines()]

    @property
    def results(self) -> dict[int, Any]:
        """Results by item. No item has two."""
        lines = self.lines("results")
        found = {line["index"]: line["result"] for line in lines}
        assert len(found) == len(lines)
        return found

    @property
    def errors(self) -> dict[int, Any]:
        """Errors by item. No item has two, and none has a result besides."""
        lines = self.lines("errors")
        found = {line["index"]: line["error"] for line in lines}
        assert len(found) == len(lines)
        assert not found.keys() & self.results.keys()
        return found

    @property
    def failures(self) -> dict[str, Any]:
        """The records by name."""
        return {
            key.removeprefix(FAILURES).removesuffix(".json"): json.loads(body)
            for key, (body, _) in self.store.objects.items()
            if key.startswith(FAILURES)
        }


def array(results: Sequence[Any]) -> Reply:
    """Return a reply with these results."""
    return Reply(body=json.dumps(results).encode())


def doubled(items: list[Any]) -> Reply:
    """A container that doubles numbers."""
    return array([2 * item for item in items])


def partial(results: Sequence[Any], *failures: tuple[int, str, bool]) -> Reply:
    """Return a reply with failures: position, error, retry."""
    listed = [{"index": at, "error": error, "retry": retry} for at, error, retry in failures]
    return Reply(body=json.dumps({"results": list(results), "failures": listed}).encode())
