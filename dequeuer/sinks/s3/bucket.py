"""Requests about one bucket. What S3 refuses is raised as an error of ours."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Container, Sequence
from hashlib import md5

from dequeuer.aws.endpoint import AwsEndpoint, Request
from dequeuer.aws.signing import Fields, quoted
from dequeuer.aws.signing import query as query_of
from dequeuer.core.errors import CredentialsMissingError, CredentialsUnavailableError, StoreUnavailableError
from dequeuer.http.errors import WireError
from dequeuer.http.pool import Reply
from dequeuer.http.response import Answer
from dequeuer.sinks.protection import UNPROTECTED, ObjectProtection
from dequeuer.sinks.s3.errors import StoreError, code_in, refused, unsent
from dequeuer.sinks.s3.listing import LISTING_BYTES, listed

TIMEOUT_S = 30.0
"""For the head of an answer, and for each further part of it."""
ANSWER_BYTES = 64 * 1024
"""Of answers that are no object and no listing."""
XML_TYPE = ("content-type", "application/xml")


class Bucket:
    """One bucket at one endpoint.

    Args:
        endpoint: where it is.
        name: of the bucket.
        path_style: the name stands in the path; else the endpoint's host has it.
        protection: encryption of new objects, and the account that owns the bucket.
    """

    def __init__(
        self, endpoint: AwsEndpoint, name: str, *, path_style: bool, protection: ObjectProtection = UNPROTECTED
    ) -> None:
        self._endpoint = endpoint
        self.protection = protection
        self._common = tuple(protection.common_fields())
        self._base = f"/{quoted(name)}" if path_style else ""

    def about(
        self, key: str | None, method: str, query: str = "", fields: Fields = (), body: bytes | bytearray = b""
    ) -> Request:
        """Make a request about an object; `key` None: about the bucket."""
        path = f"{self._base}/{quoted(key)}" if key is not None else self._base or "/"
        if self._common:
            fields = (*fields, *self._common)
        return Request(method=method, path=path, query=query, fields=fields, body=body, timeout_s=TIMEOUT_S)

    async def keys(self, prefix: str) -> Sequence[str]:
        """Return the keys below `prefix`: the first page of them. Raises like `call`."""
        asked = query_of([("list-type", "2"), ("prefix", prefix), ("encoding-type", "url")])
        return listed((await self.call(self.about(None, "GET", asked), limit=LISTING_BYTES)).body)

    async def call(self, request: Request, *, limit: int = ANSWER_BYTES, expected: Container[int] = ()) -> Reply:
        """Return a whole answer.

        Args:
            request: what to ask.
            limit: bytes of the answer.
            expected: statuses that are no refusal, besides those of success.

        Raises:
            StoreMissingError, StoreDeniedError, StoreUnavailableError: it was refused, or never answered.
        """
        try:
            reply = await self._endpoint.call(request, limit=limit)
        except (WireError, CredentialsMissingError, CredentialsUnavailableError) as error:
            raise unsent(error) from error
        if reply.status >= 300 and reply.status not in expected:
            raise self.refusal(reply)
        return reply

    async def upload(
        self,
        request: Request,
        body: AsyncIterator[bytes],
        *,
        length: int,
        body_hash: str,
        expected: Container[int] = (),
    ) -> Reply:
        """Send a request whose body is read while it is sent, once; return the whole answer. Raises like `call`.

        Args:
            request: without a body.
            body: its errors are raised as they are; the request is broken off then, and nothing is stored.
            length: bytes of `body`.
            body_hash: what stands for the hash of the body in the signature.
            expected: statuses that are no refusal, besides those of success.
        """
        try:
            reply = await self._endpoint.upload(request, body, length=length, body_hash=body_hash, limit=ANSWER_BYTES)
        except (WireError, CredentialsMissingError, CredentialsUnavailableError) as error:
            raise unsent(error) from error
        if reply.status >= 300 and reply.status not in expected:
            raise self.refusal(reply)
        return reply

    def refusal(self, reply: Reply) -> StoreError:
        """Return what a refusal means."""
        return refused(reply.status, code_in(reply.body))

    async def begin(self, request: Request, status: int, *, expected: Container[int] = ()) -> Answer:
        """Return an answer of that status once its head is there; `end` it on every path. Raises like `call`.

        `expected`: other statuses that are no refusal.
        """
        try:
            answer = await self._endpoint.begin(request)
        except (WireError, CredentialsMissingError, CredentialsUnavailableError) as error:
            raise unsent(error) from error
        if answer.status == status or answer.status in expected:
            return answer
        try:
            if answer.status < 300:
                raise StoreUnavailableError(f"S3 answered {answer.status} instead of {status}")
            raise refused(answer.status, code_in(await answer.read(ANSWER_BYTES, TIMEOUT_S)))
        except WireError as error:
            raise unsent(error) from error
        finally:
            self._endpoint.end(answer)

    def end(self, answer: Answer) -> None:
        """Give up what `begin` returned, once."""
        self._endpoint.end(answer)

    async def close(self) -> None:
        """Close all connections."""
        await self._endpoint.close()


def checksum(body: bytes) -> tuple[str, str]:
    """Return the field without which S3 takes no list of deletions and no lifecycle."""
    return "content-md5", b64encode(md5(body, usedforsecurity=False).digest()).decode()
