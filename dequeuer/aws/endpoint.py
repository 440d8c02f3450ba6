"""Signed requests to one endpoint of AWS, or to a server with the same API: sent again once, the clock corrected."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlsplit

from dequeuer import __version__
from dequeuer.aws.credentials.renewal import CredentialsCache, FrozenKeys
from dequeuer.aws.signing import EMPTY_HASH, Fields, Signer
from dequeuer.core import clock
from dequeuer.core.errors import ConfigurationError, CredentialsMissingError, clip
from dequeuer.http.errors import HttpTransportError, MalformedError
from dequeuer.http.origin import Origin
from dequeuer.http.pool import Pool, Reply, SerializedRequest
from dequeuer.http.response import Response

MAX_CLOCK_SKEW_S = 240.0
"""AWS accepts signatures within five minutes of its own clock. Beyond this difference the clock is corrected."""
WRITE_CHUNK_BYTES = 16 * 1024
"""Piece of a streamed body that is passed to the transport at a time."""
_SKEWED = (b"RequestTimeTooSkewed", b"RequestExpired", b"Signature expired", b"Signature not yet current")
_KEYS_REFUSED = re.compile(
    rb'(?:Code>\s*|[#"])(?:(ExpiredToken)|InvalidAccessKeyId|InvalidClientTokenId|InvalidSignatureException'
    rb"|SignatureDoesNotMatch|UnrecognizedClientException)"
)
"""Codes of S3 (XML) and SQS (JSON) for keys that have expired (group 1), or that may have been replaced."""
_CODE_WITHIN_BYTES = 4096
_MAX_REFUSAL_BYTES = 64 * 1024


class Request(NamedTuple):
    """One request. A tuple, because every message needs about six of them.

    Attributes:
        method: in capitals.
        path: escaped.
        timeout_s: for the head of the response, and for each further read of it.
        query: in canonical form; see `signing.query`.
        fields: further header fields; names in lower case, each once. All are signed.
        body: whole.
    """

    method: str
    path: str
    timeout_s: float
    query: str = ""
    fields: Fields = ()
    body: bytes | bytearray = b""


class _Signed(NamedTuple):
    """Keys and times of a signature.

    Attributes:
        keys: those that signed.
        at_s: the time in the signature, seconds since the epoch.
        sent_s: the same time on the monotonic clock, seconds.
    """

    keys: FrozenKeys
    at_s: float
    sent_s: float


def origin_of(url: str, tls: ssl.SSLContext) -> Origin:
    """Return the server of an endpoint URL. Raises `ConfigurationError`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        what = "is not an http:// or https:// URL of a server; a URL with a path needs DEQUEUER_AWS_CLIENT=sdk"
        raise ConfigurationError([f"AWS_ENDPOINT_URL: {clip(url)!r} {what}"])
    secure = parts.scheme == "https"
    return Origin(host=parts.hostname, port=port or (443 if secure else 80), tls=tls if secure else None)


class AwsEndpoint:
    """Signs requests and sends them. When the clock is wrong, it is corrected by the `Date` field of a refusal.

    Args:
        origin: the server.
        signer: for its service and region.
        keys: sign the requests.
    """

    def __init__(self, origin: Origin, signer: Signer, keys: CredentialsCache) -> None:
        self._pool = Pool(origin)
        self._signer = signer
        self._keys = keys
        self._host = ("host", origin.authority)
        self._common = f"user-agent:dequeuer/{__version__}\r\n"

    @property
    def authority(self) -> str:
        """The value of the Host field."""
        return self._host[1]

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    async def send(self, request: Request, *, limit: int) -> Reply:
        """Send a request and return the whole response, of `limit` bytes at most.

        Raises:
            HttpTransportError: there is no whole response.
            CredentialsMissingError, CredentialsUnavailableError: there are no valid keys; the request was not sent.
        """
        await self._keys.wait_until_valid()
        signed = self._signed()
        reply = await self._pool.exchange(self._serialized(request), timeout_s=request.timeout_s, limit=limit)
        if reply.status >= 400 and await self._should_resend(reply.headers, reply.body, signed):
            return await self._pool.exchange(self._serialized(request), timeout_s=request.timeout_s, limit=limit)
        return reply

    async def stream(self, request: Request) -> Response:
        """Send a request and return the response once its head has arrived. Raises like `send`.

        The caller must `release` it on every path.
        """
        await self._keys.wait_until_valid()
        signed = self._signed()
        response = await self._pool.stream(self._serialized(request), timeout_s=request.timeout_s)
        if response.status not in (400, 403):
            return response
        try:
            should_resend = await self._should_resend(
                response.headers, await _read_refusal(response, request.timeout_s), signed
            )
        except BaseException:  # also when cancelled: the caller does not have the response yet
            self._pool.release(response)
            raise
        if not should_resend:
            return response
        self._pool.release(response)
        return await self._pool.stream(self._serialized(request), timeout_s=request.timeout_s)

    async def upload(
        self, request: Request, body: AsyncIterator[bytes], *, length: int, body_hash: str, limit: int
    ) -> Reply:
        """Send a request whose body is read while it is sent. It is never sent again.

        Args:
            request: without a body.
            body: its errors abort the request and are raised unchanged.
            length: bytes of `body`.
            body_hash: replaces the hash of the body in the signature.
            limit: of the response, bytes.

        Raises:
            HttpTransportError: as with `send`; also after a refusal that corrected the clock or renewed the keys: the
                caller may try again.
            CredentialsMissingError, CredentialsUnavailableError: as with `send`.
        """
        await self._keys.wait_until_valid()
        signed = self._signed()
        response = await self._pool.begin_request(self._head(request, body_hash, length), fresh=True)
        response.connection.limit_writes(WRITE_CHUNK_BYTES)
        try:
            is_whole = await _send_body(response, body, length, request.timeout_s)
            await response.wait_for_head(request.timeout_s)
            if not is_whole and response.status < 300:
                raise MalformedError("a success response before the request was sent whole")
            reply = Reply(response, await response.read(limit, request.timeout_s))
        finally:
            self._pool.release(response)
        if reply.status >= 400 and await self._should_resend(reply.headers, reply.body, signed):
            raise HttpTransportError("refused because clock or credentials were out of date; they are correct now")
        return reply

    def release(self, response: Response) -> None:
        """Free the connection of a response of `stream`. To be called exactly once for each."""
        self._pool.release(response)

    def _serialized(self, request: Request) -> SerializedRequest:
        body = request.body
        return self._head(request, sha256(body).hexdigest() if body else EMPTY_HASH, len(body)), body

    def _head(self, request: Request, body_hash: str, size: int) -> bytes:
        method, path, _, query, fields, _ = request
        fields = [self._host, ("x-amz-content-sha256", body_hash), *fields]
        keys = self._keys.current()
        lines = self._signer.sign(method, path, query, fields, body_hash, keys)
        if "\r" in lines or lines.count("\n") > len(fields) + (3 if keys.token else 2):
            # For example keys from a file. The rest would be taken for another header field, or another request.
            raise CredentialsMissingError("the AWS credentials contain a line break")
        length = f"content-length:{size}\r\n" if size or method in ("PUT", "POST") else ""
        target = f"{path}?{query}" if query else path
        head = lines.replace("\n", "\r\n")
        return f"{method} {target} HTTP/1.1\r\n{head}{self._common}{length}\r\n".encode()

    def _signed(self) -> _Signed:
        """Return what a request that is sent now is signed with."""
        return _Signed(self._keys.current(), self._signer.now(), clock.monotonic())

    async def _should_resend(self, headers: dict[str, str], body: bytes, signed: _Signed) -> bool:
        """Renew keys, or correct the clock, when a refusal is about them; True when the request is to be sent again.

        Raises like `wait_until_valid`.
        """
        start = body[:_CODE_WITHIN_BYTES]
        # SQS refuses a wrong clock with the code of a wrong signature: only the text tells the difference.
        is_skewed = any(sign in start for sign in _SKEWED)
        if not is_skewed and (refused := _KEYS_REFUSED.search(start)):
            return await self._keys.replace(signed.keys, has_expired=refused[1] is not None)
        if body and not is_skewed:
            return False
        if not self._correct_clock(headers, signed):
            return False
        await self._keys.wait_until_valid()
        return True

    def _correct_clock(self, headers: dict[str, str], signed: _Signed) -> bool:
        """Use the server's clock if the time of the signature differs much; return whether the request is to be resent.

        The time in the signature is compared, not the corrected clock: of many requests in flight the first refusal
        corrects the clock for all, and each of the others still has to be sent again.
        """
        try:
            theirs = parsedate_to_datetime(headers.get("date", "")).timestamp()
        except ValueError:
            return False
        # The system clock may have been set since the request was signed; the monotonic clock cannot be.
        if abs(theirs - signed.at_s - (clock.monotonic() - signed.sent_s)) < MAX_CLOCK_SKEW_S:
            return False
        self._signer.skew_s = theirs - clock.wall()
        return True


async def _send_body(response: Response, body: AsyncIterator[bytes], length: int, timeout_s: float) -> bool:
    """Send a body of `length` bytes; False: a response came before its end, or none can come."""
    left = length
    async for piece in body:
        left -= len(piece)
        for at in range(0, len(piece), WRITE_CHUNK_BYTES):
            if not await response.connection.write(piece[at : at + WRITE_CHUNK_BYTES], timeout_s):
                return False
    if left:
        raise MalformedError("the body has another length than announced")
    response.connection.end_request()
    return True


async def _read_refusal(response: Response, timeout_s: float) -> bytes:
    """Return the body of a refusal; nothing if it does not arrive. The caller can read it from the response again."""
    try:
        return await response.read(_MAX_REFUSAL_BYTES, timeout_s)
    except HttpTransportError:
        return b""
