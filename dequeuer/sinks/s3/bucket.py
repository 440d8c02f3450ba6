"""Requests to one bucket. Refusals of S3 are raised as errors of the core."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Container, Sequence
from hashlib import md5

from dequeuer.aws.endpoint import AwsEndpoint, Request
from dequeuer.aws.signing import Fields, quoted
from dequeuer.aws.signing import query as query_of
from dequeuer.core.errors import CredentialsMissingError, CredentialsUnavailableError, StoreUnavailableError
from dequeuer.http.errors import HttpTransportError
from dequeuer.http.pool import Reply
from dequeuer.http.response import Response
from dequeuer.sinks.protection import UNPROTECTED, ObjectProtection
from dequeuer.sinks.s3.errors import StoreError, code_in, error_without_response, refused
from dequeuer.sinks.s3.listing import MAX_LISTING_BYTES, listed

TIMEOUT_S = 30.0
"""For the head of a response, and for each further read of it."""
MAX_RESPONSE_BYTES = 64 * 1024
"""For responses other than objects and listings."""
XML_TYPE = ("content-type", "application/xml")


class Bucket:
    """One bucket at one endpoint.

    Args:
        endpoint: of S3, for this bucket.
        name: name of the bucket.
        path_style: the bucket name is part of the path; otherwise of the host name of the endpoint.
        protection: encryption of new objects, and the account that owns the bucket.
    """

    def __init__(
        self, endpoint: AwsEndpoint, name: str, *, path_style: bool, protection: ObjectProtection = UNPROTECTED
    ) -> None:
        self._endpoint = endpoint
        self.protection = protection
        self._common = tuple(protection.common_fields())
        self._base = f"/{quoted(name)}" if path_style else ""

    def request(
        self, key: str | None, method: str, query: str = "", fields: Fields = (), body: bytes | bytearray = b""
    ) -> Request:
        """Build a request to an object; `key` None: to the bucket. Without a query, PUT of the bucket creates it."""
        path = f"{self._base}/{quoted(key)}" if key is not None else self._base or "/"
        is_creation = key is None and method == "PUT" and not query
        if self._common and not is_creation:  # a bucket that does not exist has no owner to be compared
            fields = (*fields, *self._common)
        return Request(method=method, path=path, query=query, fields=fields, body=body, timeout_s=TIMEOUT_S)

    async def list_keys(self, prefix: str) -> Sequence[str]:
        """Return the first page of keys below `prefix`. Raises like `send`."""
        asked = query_of([("list-type", "2"), ("prefix", prefix), ("encoding-type", "url")])
        return listed((await self.send(self.request(None, "GET", asked), limit=MAX_LISTING_BYTES)).body)

    async def send(self, request: Request, *, limit: int = MAX_RESPONSE_BYTES, expected: Container[int] = ()) -> Reply:
        """Send a request and return the whole response.

        Args:
            request: see `request`.
            limit: of the response, bytes.
            expected: statuses besides 2xx with which the response is returned, not raised.

        Raises:
            StoreMissingError, StoreDeniedError, StoreUnavailableError: S3 refused, or there is no response.
        """
        try:
            reply = await self._endpoint.send(request, limit=limit)
        except (HttpTransportError, CredentialsMissingError, CredentialsUnavailableError) as error:
            raise error_without_response(error) from error
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
        """Send a request once, reading its body meanwhile; return the whole response. Raises like `send`.

        Args:
            request: without a body.
            body: its errors are raised unchanged; the request is aborted then, and S3 stores nothing.
            length: bytes of `body`.
            body_hash: replaces the hash of the body in the signature.
            expected: statuses besides 2xx with which the response is returned, not raised.
        """
        try:
            reply = await self._endpoint.upload(
                request, body, length=length, body_hash=body_hash, limit=MAX_RESPONSE_BYTES
            )
        except (HttpTransportError, CredentialsMissingError, CredentialsUnavailableError) as error:
            raise error_without_response(error) from error
        if reply.status >= 300 and reply.status not in expected:
            raise self.refusal(reply)
        return reply

    def refusal(self, reply: Reply) -> StoreError:
        """Return the error for a refusal."""
        return refused(reply.status, code_in(reply.body))

    async def stream(self, request: Request, status: int, *, expected: Container[int] = ()) -> Response:
        """Send a request and return the response once its head has arrived. Raises like `send`.

        The caller must `release` it on every path. Statuses other than `status` and `expected` are raised as errors.
        """
        try:
            response = await self._endpoint.stream(request)
        except (HttpTransportError, CredentialsMissingError, CredentialsUnavailableError) as error:
            raise error_without_response(error) from error
        if response.status == status or response.status in expected:
            return response
        try:
            if response.status < 300:
                raise StoreUnavailableError(f"S3 answered {response.status} instead of {status}")
            raise refused(response.status, code_in(await response.read(MAX_RESPONSE_BYTES, TIMEOUT_S)))
        except HttpTransportError as error:
            raise error_without_response(error) from error
        finally:
            self._endpoint.release(response)

    def release(self, response: Response) -> None:
        """Free the connection of a response of `stream`. To be called exactly once for each."""
        self._endpoint.release(response)

    async def close(self) -> None:
        """Close all connections."""
        await self._endpoint.close()


def checksum(body: bytes) -> tuple[str, str]:
    """Return Content-MD5, which S3 demands for DeleteObjects and lifecycle configurations."""
    return "content-md5", b64encode(md5(body, usedforsecurity=False).digest()).decode()
