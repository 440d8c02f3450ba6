"""A queue, buckets and a job in memory, which can be killed at any call."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from dequeuer.enqueuer.progress import Progress
from dequeuer.enqueuer.run import Enqueuer
from dequeuer.jobs.layout import JobKeys
from dequeuer.sinks.base import Check, Payload, unchecked
from dequeuer.sources.sqs import errors as sqs_errors
from dequeuer.sources.sqs.sending import MessageSender
from tests.fakes import MemoryStore, Recorder

KEYS = JobKeys(cluster_uid="uid", kind="BatchAPI", version="0.42.1", api_name="api", job_id="67f0")
QUEUE = "https://sqs.us-west-2.amazonaws.com/1/q.fifo"


class KilledError(BaseException):
    """The process is killed."""


@dataclass
class Killer:
    """Counts calls; kills at one of them, before or after its effect."""

    at: int = -1
    calls: int = 0

    def before(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise KilledError

    def after(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise KilledError


class MortalStore(MemoryStore):
    """A store whose calls can kill the process."""

    killer: Killer = Killer()

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        self.killer.before()
        await super().put(key, body, content_type, check=check)
        self.killer.after()

    async def delete(self, keys: Collection[str]) -> None:
        self.killer.before()
        await super().delete(keys)
        self.killer.after()

    async def get(self, key: str) -> Payload:
        self.killer.before()
        return await super().get(key)


@dataclass
class FakeSqs:
    """A FIFO queue: sent entries in order, with the ids for deduplication; `answers` replaces responses."""

    killer: Killer = field(default_factory=Killer)
    sent: list[dict[str, Any]] = field(default_factory=list)
    requests: list[list[dict[str, Any]]] = field(default_factory=list)
    max_bytes: int = 262_144
    judge: Callable[[dict[str, Any]], Mapping[str, Any] | None] = lambda _entry: None
    """Returns a failure of an entry instead of success; an exception fails the whole request."""

    async def send_message_batch(self, **request: Any) -> Mapping[str, Any]:
        self.killer.before()
        entries: list[dict[str, Any]] = json.loads(json.dumps(request["Entries"]))
        self.requests.append(entries)
        successful, failed = [], []
        for entry in entries:
            failure = self.judge(entry)
            if failure is not None:
                failed.append({"Id": entry["Id"], **failure})
                continue
            self.sent.append(entry)
            successful.append({"Id": entry["Id"]})
        self.killer.after()
        return {"Successful": successful, "Failed": failed}

    async def get_queue_attributes(self, **_request: Any) -> Mapping[str, Any]:
        return {"Attributes": {"MaximumMessageSize": str(self.max_bytes)}}

    @property
    def batches(self) -> set[tuple[int, str]]:
        """Index and body of all batches."""
        return {
            (int(entry["MessageAttributes"]["batch_index"]["StringValue"]), entry["MessageBody"])
            for entry in self.sent
            if "batch_index" in entry["MessageAttributes"]
        }

    @property
    def items(self) -> list[Any]:
        """All items of the batches, by index."""
        return [item for _, body in sorted(self.batches) for item in json.loads(body)]

    @property
    def completions(self) -> int:
        return sum("job_complete" in entry["MessageAttributes"] for entry in self.sent)


class Stage:
    """One job and everything around it. Each `run` is a new process."""

    def __init__(self, payload: Mapping[str, Any] | bytes, **buckets: Mapping[str, bytes]) -> None:
        self.killer = Killer()
        self.store = MortalStore()
        text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.store.seed([(KEYS.payload, text)])
        self.sqs = FakeSqs()
        self.buckets = {name: MemoryStore() for name in buckets}
        for name, objects in buckets.items():
            self.buckets[name].seed(objects.items())
        self.use(self.killer)
        self.stop_after: int | None = None
        self.events = Recorder()

    def use(self, killer: Killer) -> None:
        self.killer = killer
        self.store.killer = killer
        self.sqs.killer = killer

    def listing(self, bucket: str) -> MemoryStore:
        return self.buckets[bucket]

    def objects(self, bucket: str) -> MemoryStore:
        return self.buckets[bucket]

    async def run(self) -> int:
        """Run the enqueuer as a new process."""
        sender = MessageSender(self.sqs, sqs_errors.translate, QUEUE, self.events)
        asked = 0

        def should_stop() -> bool:
            nonlocal asked
            asked += 1
            return self.stop_after is not None and asked >= self.stop_after

        enqueuer = Enqueuer(
            store=self.store, buckets=self, sender=sender, keys=KEYS, progress=Progress(), should_stop=should_stop
        )
        return await enqueuer.run()

    def text(self, key: str) -> str | None:
        """Return an object of the job."""
        found = self.store.objects.get(key)
        return None if found is None else found[0].decode()


def paths(*s3_paths: str, batch_size: int = 2, lister: str = "file_path_lister", **more: Any) -> dict[str, Any]:
    """Return a submission with files."""
    return {"workers": 1, lister: {"s3_paths": list(s3_paths), "batch_size": batch_size, **more}}


def files(*s3_paths: str, batch_size: int = 2, on_bad_item: str = "fail", **more: Any) -> dict[str, Any]:
    """Return a submission with delimited files."""
    submission = paths(*s3_paths, batch_size=batch_size, lister="delimited_files", **more)
    return submission | ({"on_bad_item": on_bad_item} if on_bad_item != "fail" else {})


def items(*values: Any, batch_size: int = 2) -> dict[str, Any]:
    """Return a submission with items."""
    return {"workers": 1, "item_list": {"items": list(values), "batch_size": batch_size}}
