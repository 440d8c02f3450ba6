"""The handler of any queue with a scripted container and stores in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from dequeuer.core.drain import Drain
from dequeuer.core.message import Fence, Message, Outcome
from dequeuer.handlers.queue_api.delivery import BodyFormat
from dequeuer.handlers.queue_api.handler import QueueHandler, RequestForm
from dequeuer.handlers.queue_api.payloads import Payloads
from dequeuer.handlers.queue_api.pointer import CLASSES
from dequeuer.handlers.queue_api.results import QueueResults
from dequeuer.handlers.response_policy import ResponsePolicy
from tests.fakes import MemoryStore, OpenFence, Recorder
from tests.handlers.stage import Reply, ScriptedTarget

MESSAGE_ID = "5fea7756-0ea4-451a-a703-a558b933e274"
FIRST_RECEIVED = {"ApproximateFirstReceiveTimestamp": "1700000000500", "SenderId": "AIDAIENQZJOLO23YVJ4VO"}
KEY = f"out/{MESSAGE_ID}"


def make(
    body: str = '{"n": 1}',
    receive_count: int = 1,
    attributes: Mapping[str, str] | None = None,
    *,
    message_id: str = MESSAGE_ID,
    system: Mapping[str, str] | None = None,
) -> Message:
    """Return a message."""
    return Message(
        id=message_id,
        body=body,
        receive_count=receive_count,
        sent_at=None,
        attributes=attributes or {},
        system_attributes=FIRST_RECEIVED if system is None else system,
        queue_name="jobs",
    )


def pointer(bucket: str = "payloads", key: str = "a/1", name: str = CLASSES[0]) -> str:
    """Return the body of a pointer."""
    return json.dumps([name, {"s3BucketName": bucket, "s3Key": key}])


class Stage:
    """A handler. With `keeps_results` responses go to `store`, below `out/`."""

    def __init__(
        self,
        *replies: Reply,
        body_format: BodyFormat = "raw",
        takes_paths: bool = False,
        reads_payloads: bool = False,
        deletes_payloads: bool = False,
        keeps_results: bool = False,
        max_receives: int | None = None,
        max_result_bytes: int = 4 << 20,
    ) -> None:
        self.target = ScriptedTarget(list(replies) or [Reply()])
        self.store = MemoryStore()
        self.drain = Drain()
        self.seen = Recorder()
        self._max_receives = max_receives
        self.handler = QueueHandler(
            form=RequestForm(path="/work", takes_paths=takes_paths, content_type="text/plain", body_format=body_format),
            target=self.target,
            payloads=Payloads({"payloads": self.store}, deletes=deletes_payloads) if reads_payloads else None,
            results=QueueResults(self.store, "out/", max_result_bytes) if keeps_results else None,
            policy=ResponsePolicy(max_attempts=5, retry_statuses=frozenset({429, 503})),
            drain=self.drain,
            observer=self.seen,
        )

    async def handle(self, message: Message | None = None, fence: Fence | None = None) -> Outcome:
        """Handle a message."""
        message = replace(message or make(), max_receives=self._max_receives)
        return await self.handler.handle(message, fence or OpenFence())

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the only request. None is there twice."""
        [request] = self.target.requests
        headers = {name.lower(): value for name, value in request.headers}
        assert len(headers) == len(request.headers)
        return headers
