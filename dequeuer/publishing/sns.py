"""SNS over the slim client, in the query protocol, which is the only one that it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from dequeuer.aws.endpoint import AwsEndpoint, Request
from dequeuer.aws.xml import XmlError, parse
from dequeuer.http.errors import MalformedError
from dequeuer.publishing.operations import PublishingError

MAX_RESPONSE_BYTES: Final = 64 * 1024
_VERSION: Final = "2010-03-31"
_FORM_TYPE: Final = ("content-type", "application/x-www-form-urlencoded; charset=utf-8")


class SlimSns:
    """`SnsOperations`.

    Args:
        endpoint: of SNS.
        timeout_s: for the head of a response, and for each further read.
    """

    def __init__(self, endpoint: AwsEndpoint, *, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s

    async def publish(self, **request: Any) -> Mapping[str, object]:
        """`Publish`. Raises `PublishingError`, `HttpTransportError`, errors of the credentials."""
        fields: list[tuple[str, str]] = [("Action", "Publish"), ("Version", _VERSION)]
        fields += [(name, request[name]) for name in ("TopicArn", "Message")]
        for number, (name, value) in enumerate(request["MessageAttributes"].items(), start=1):
            entry = f"MessageAttributes.entry.{number}"
            fields.append((f"{entry}.Name", name))
            fields += [(f"{entry}.Value.{field}", text) for field, text in value.items()]
        sent = Request(
            method="POST",
            path="/",
            fields=(_FORM_TYPE,),
            body=urlencode(fields).encode(),
            timeout_s=self._timeout_s,
        )
        reply = await self._endpoint.send(sent, limit=MAX_RESPONSE_BYTES)
        if reply.status != 200:
            raise _error(reply.status, reply.body)
        try:
            parse(reply.body, "PublishResponse")
        except XmlError:
            # Something between here and SNS responded: the message was not published.
            raise MalformedError("the response is not one of SNS") from None
        return {}


def _error(status: int, body: bytes) -> PublishingError:
    try:
        found = [node for node in parse(body, "ErrorResponse").children if node.name == "Error"]
    except XmlError:
        found = []
    code, text = (found[0].first("Code"), found[0].first("Message")) if found else (None, None)
    return PublishingError(status, code or "", text or "")
