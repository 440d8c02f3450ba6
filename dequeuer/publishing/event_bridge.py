"""EventBridge over the slim client, in its JSON protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from dequeuer.aws.endpoint import AwsEndpoint, Request
from dequeuer.formats.json_reading import object_or_none
from dequeuer.http.errors import MalformedError
from dequeuer.publishing.operations import PublishingError

MAX_RESPONSE_BYTES: Final = 64 * 1024
_FIELDS: Final = (("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "AWSEvents.PutEvents"))


class SlimEventBridge:
    """`EventBusOperations`.

    Args:
        endpoint: of EventBridge.
        timeout_s: for the head of a response, and for each further read.
    """

    def __init__(self, endpoint: AwsEndpoint, *, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s

    async def put_events(self, **request: Any) -> Mapping[str, Any]:
        """`PutEvents`. Raises `PublishingError`, `HttpTransportError`, errors of the credentials."""
        sent = Request(
            method="POST", path="/", fields=_FIELDS, body=json.dumps(request).encode(), timeout_s=self._timeout_s
        )
        reply = await self._endpoint.send(sent, limit=MAX_RESPONSE_BYTES)
        fields = object_or_none(reply.body) or {}
        if reply.status != 200:
            code = str(fields.get("__type", "")).rpartition("#")[2]
            raise PublishingError(reply.status, code, str(fields.get("message") or fields.get("Message") or ""))
        if not fields:
            raise MalformedError("the response is not one of EventBridge")
        return fields
