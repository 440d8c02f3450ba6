"""The JSON protocol of SQS, for the calls that the sidecar makes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from bench.canned.http import Request, head, whole
from bench.canned.queue import Queue
from bench.canned.state import State

JSON_TYPE = "Content-Type: application/x-amz-json-1.0"
_ACTION = re.compile(rb"(?i)\r\nx-amz-target: *AmazonSQS\.(\w+)")
_LIMIT = re.compile(rb'"MaxNumberOfMessages": ?(\d+)')
_WAIT = re.compile(rb'"WaitTimeSeconds": ?(\d+)')
_ID = re.compile(rb'"Id": ?"([^"]+)"')
_ENTRY_ID = re.compile(rb'\{"Id": ?"(\w+)", ?"MessageBody')
_HEAD = head("200 OK", 0, "x-amzn-RequestId: 1f2e3d4c-5b6a-4789-8a9b-0c1d2e3f4a5b", JSON_TYPE).replace(
    b"Content-Length: 0", b"Content-Length: %d"
)


class Sqs:
    """Serves one queue; its URL is not checked."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.queue = Queue(state)
        self._actions: dict[str, Callable[[Request], None]] = {
            "ReceiveMessage": self._receive,
            "DeleteMessageBatch": self._delete_batch,
            "DeleteMessage": self._delete,
            "ChangeMessageVisibilityBatch": self._change_batch,
            "ChangeMessageVisibility": lambda request: _give(request, b"{}"),
            "GetQueueAttributes": self._attributes,
            "SendMessageBatch": self._send_batch,
            "SendMessage": lambda request: _give(request, b'{"MessageId":"m","MD5OfMessageBody":"d"}'),
        }

    def reset(self) -> None:
        """Replace the queue by a new one with the messages of `state.shape`."""
        self.queue.close()
        self.queue = Queue(self._state)

    def serve(self, request: Request) -> None:
        """Respond to one request."""
        found = _ACTION.search(request.head)
        action = found[1].decode() if found else ""
        handler = self._actions.get(action)
        if handler is None:
            self._state.record_unexpected(f"SQS {action or request.method.decode()}")
            request.answer(whole("400 Bad Request", b'{"__type":"com.amazonaws.sqs#InvalidAction"}', JSON_TYPE))
            return
        self._state.requests[action] += 1
        request.delay_s = self._state.shape.sqs_delay_s
        handler(request)

    def _receive(self, request: Request) -> None:
        limit, wait = _LIMIT.search(request.body), _WAIT.search(request.body)
        self.queue.receive(
            int(limit[1]) if limit else 1,
            float(wait[1]) if wait else 0.0,
            lambda body: _give(request, body),
        )

    def _delete_batch(self, request: Request) -> None:
        _give(request, _successful(ids := _ID.findall(request.body)))
        self._state.count_done(len(ids))

    def _delete(self, request: Request) -> None:
        _give(request, b"{}")
        self._state.count_done(1)

    def _change_batch(self, request: Request) -> None:
        _give(request, _successful(_ID.findall(request.body)))

    def _send_batch(self, request: Request) -> None:
        _give(request, _successful(ids := _ENTRY_ID.findall(request.body)))
        self._state.sent += len(ids)

    def _attributes(self, request: Request) -> None:
        # Never zero: a batch job must not end before it has been measured.
        visible = str(max(1, self.queue.visible))
        counts = {"NotVisible": "0", "Delayed": "0", "": visible}
        attributes = {f"ApproximateNumberOfMessages{name}": value for name, value in counts.items()}
        attributes["MaximumMessageSize"] = "262144"
        _give(request, json.dumps({"Attributes": attributes}).encode())


def _successful(ids: list[bytes]) -> bytes:
    return b'{"Successful":[%b]}' % b",".join([b'{"Id":"%b"}' % entry for entry in ids])


def _give(request: Request, body: bytes) -> None:
    request.answer(_HEAD % len(body) + body)
