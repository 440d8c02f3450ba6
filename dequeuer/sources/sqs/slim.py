"""The SQS operations over the slim client, in the JSON protocol of SQS."""

from __future__ import annotations

import json
from typing import Any

from dequeuer.aws.endpoint import AwsEndpoint, Request
from dequeuer.core.queue_limits import MAX_BATCH_SIZE
from dequeuer.http.errors import MalformedError, ResponseTooLargeError
from dequeuer.sources.sqs.errors import SqsResponseError
from dequeuer.sources.sqs.operations import Json

MAX_RESPONSE_BYTES = 12 * 1024 * 1024
"""Ten messages of 1 MiB fit if JSON escapes few of their bytes; one message fits even with every byte escaped."""
_JSON_TYPE = ("content-type", "application/x-amz-json-1.0")


class SlimSqs:
    """`SqsClient`.

    Args:
        endpoint: of SQS.
        timeout_s: for the head of a response, and for each further read.
        longest_wait_s: longest wait time of a long poll, added to `timeout_s` of a receive.
    """

    def __init__(self, endpoint: AwsEndpoint, *, timeout_s: float, longest_wait_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._longest_wait_s = longest_wait_s
        self._messages_limit = MAX_BATCH_SIZE

    async def receive_message(self, **request: object) -> Json:
        """`ReceiveMessage`.

        A response that is too large is not read; after it, half as many messages are requested. Its messages are
        received again after their visibility timeout.
        """
        asked = request.get("MaxNumberOfMessages")
        if isinstance(asked, int):
            asked = request["MaxNumberOfMessages"] = min(asked, self._messages_limit)
        try:
            response = await self._call("ReceiveMessage", request, self._timeout_s + self._longest_wait_s)
        except ResponseTooLargeError as error:
            self._messages_limit = max(1, (asked if isinstance(asked, int) else 1) // 2)
            raise ResponseTooLargeError(f"{error}; {self._messages_limit} messages are requested next") from error
        if len(response.get("Messages") or ()) == self._messages_limit:
            # As many messages as allowed did fit, so one more is allowed next time.
            self._messages_limit = min(MAX_BATCH_SIZE, self._messages_limit + 1)
        return response

    async def delete_message_batch(self, **request: object) -> Json:
        """`DeleteMessageBatch`."""
        return await self._call("DeleteMessageBatch", request, self._timeout_s)

    async def change_message_visibility_batch(self, **request: object) -> Json:
        """`ChangeMessageVisibilityBatch`."""
        return await self._call("ChangeMessageVisibilityBatch", request, self._timeout_s)

    async def get_queue_attributes(self, **request: object) -> Json:
        """`GetQueueAttributes`."""
        return await self._call("GetQueueAttributes", request, self._timeout_s)

    async def send_message(self, **request: object) -> Json:
        """`SendMessage`."""
        return await self._call("SendMessage", request, self._timeout_s)

    async def send_message_batch(self, **request: object) -> Json:
        """`SendMessageBatch`."""
        return await self._call("SendMessageBatch", request, self._timeout_s)

    async def create_queue(self, **request: object) -> Json:
        """`CreateQueue`."""
        return await self._call("CreateQueue", request, self._timeout_s)

    async def get_queue_url(self, **request: object) -> Json:
        """`GetQueueUrl`."""
        return await self._call("GetQueueUrl", request, self._timeout_s)

    async def purge_queue(self, **request: object) -> Json:
        """`PurgeQueue`."""
        return await self._call("PurgeQueue", request, self._timeout_s)

    async def delete_queue(self, **request: object) -> Json:
        """`DeleteQueue`."""
        return await self._call("DeleteQueue", request, self._timeout_s)

    async def set_queue_attributes(self, **request: object) -> Json:
        """`SetQueueAttributes`."""
        return await self._call("SetQueueAttributes", request, self._timeout_s)

    async def list_queue_tags(self, **request: object) -> Json:
        """`ListQueueTags`."""
        return await self._call("ListQueueTags", request, self._timeout_s)

    async def tag_queue(self, **request: object) -> Json:
        """`TagQueue`."""
        return await self._call("TagQueue", request, self._timeout_s)

    async def _call(self, action: str, request: dict[str, object], timeout_s: float) -> Json:
        reply = await self._endpoint.send(
            Request(
                method="POST",
                path="/",
                fields=(_JSON_TYPE, ("x-amz-target", f"AmazonSQS.{action}")),
                body=json.dumps(request).encode(),
                timeout_s=timeout_s,
            ),
            limit=MAX_RESPONSE_BYTES,
        )
        response = _object(reply.body)
        if reply.status == 200:
            if response is None:
                raise MalformedError("the response is not a JSON object")
            return response
        raise SqsResponseError(
            reply.status, _code(reply.headers, response or {}), str((response or {}).get("message", ""))
        )


def _object(body: bytes) -> dict[str, Any] | None:
    if not body:
        return {}  # some servers send an empty body instead of {}
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _code(headers: dict[str, str], response: dict[str, Any]) -> str:
    """Return the error code: the one of the query protocol if the response names it, as in the SDK."""
    older = headers.get("x-amzn-query-error", "").partition(";")[0]
    return older or str(response.get("__type", "")).rpartition("#")[2]
