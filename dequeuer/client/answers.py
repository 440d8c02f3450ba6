"""Answers of the gateway, read within bounds, and which of them are errors. The server is not trusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import aiohttp

from dequeuer.client.errors import (
    AnswerTooLargeError,
    GatewayAbsentError,
    GatewayBusyError,
    GatewayLostError,
    InvalidAnswerError,
    RefusedFault,
    RequestRefusedError,
    TooManyRequestsError,
    UntrustedGatewayError,
)
from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.formats.go_json import decode
from dequeuer.formats.retry_after import parse_retry_after

MAX_ERROR_BYTES: Final = 1 << 20
"""Read of an answer that is an error."""
MAX_FAULTS: Final = 1000
MAX_FAULT_CHARS: Final = 2000
READ_BYTES: Final = 64 * 1024
MAX_RETRY_AFTER_S: Final = 30.0
"""A server that asks for a longer pause is asked again after this one."""

_DONE: Final = frozenset({200, 202})
"""202: a submission whose client wanted to wait, and for which the time is over."""
_UNAVAILABLE: Final = frozenset({429, 502, 503, 504})


_KEY_IN_USE: Final = "idempotency_key_in_use"
"""The code of 409 that goes away by itself."""
_ERROR: Final = "error: "


class Answer:
    """A response whose body is read by its caller, who closes it."""

    def __init__(self, response: aiohttp.ClientResponse, origin: str) -> None:
        self._response = response
        self._origin = origin

    async def aclose(self) -> None:
        """Give the connection back when the body was read whole, else close it."""
        self._response.release()

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields, by their names in any case."""
        return self._response.headers

    def field(self, name: str) -> str:
        """Return a header field; "" when there is none."""
        return self._response.headers.get(name, "")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. One that is cut off raises `GatewayLostError`, also after its last chunk.

        Raises:
            InvalidAnswerError: nothing would tell a body that is cut off from a whole one.
        """
        headers = self._response.headers
        if "Content-Length" not in headers and headers.get("Transfer-Encoding", "").lower() != "chunked":
            raise InvalidAnswerError(f"{self._origin} answers without the length of its answer: it could be cut off")
        while True:
            with translated(self._origin):
                chunk = await self._response.content.read(READ_BYTES)
            if not chunk:
                return
            yield chunk

    async def read(self, max_bytes: int) -> bytes:
        """Return the whole body. Raises `AnswerTooLargeError` when it is larger."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > max_bytes:
                raise AnswerTooLargeError(f"{self._origin} answers with more than {max_bytes} bytes")
        return bytes(body)

    async def json(self, max_bytes: int) -> Any:
        """Return the value of the body; its numbers keep their text."""
        try:
            return decode((await self.read(max_bytes)).decode())
        except ValueError:
            raise InvalidAnswerError(f"{self._origin} does not answer with JSON: it is no gateway") from None

    async def object(self, max_bytes: int) -> dict[str, Any]:
        """Return the object that the body is. Raises as `json`, and `InvalidAnswerError` when it is another value."""
        value = await self.json(max_bytes)
        if not isinstance(value, dict):
            raise InvalidAnswerError(f"{self._origin} does not answer with an object: it is no gateway")
        return value

    async def check(self) -> None:
        """Raise the error that the answer is, if it is one."""
        status = self._response.status
        if status in _DONE:
            return
        if 300 <= status < 400:
            where = clip(self.field("Location") or "nowhere")
            raise InvalidAnswerError(
                f"{self._origin} redirects to {where}, and redirects are not followed: give the address of the gateway"
            )
        faults = _faults(await self._beginning())
        is_in_use = bool(faults) and faults[0].kind == _KEY_IN_USE
        if status in _UNAVAILABLE or is_in_use:
            retry_after_s = parse_retry_after(self.field("Retry-After"), now=clock.wall(), limit_s=MAX_RETRY_AFTER_S)
            if faults:
                kind = TooManyRequestsError if status == 429 else GatewayBusyError
                raise kind(faults[0].message, retry_after_s)
            # Of a load balancer, which may have lost the gateway while that did what it was asked for.
            raise GatewayLostError(f"{self._origin} answers with status {status}", retry_after_s)
        if not faults:
            raise InvalidAnswerError(f"{self._origin} answers with status {status}: is it a gateway with this API?")
        raise RequestRefusedError(status, faults)

    async def _beginning(self) -> bytes:
        """Return the body of an error, or b"" when it is too large or cut off: the status alone is told then."""
        try:
            return await self.read(MAX_ERROR_BYTES)
        except (GatewayLostError, InvalidAnswerError):
            return b""


@contextmanager
def translated(origin: str) -> Iterator[None]:
    """Raise errors of the HTTP client as those of this room. `origin`: the server, for their texts."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        text = f"the certificate of {origin} is not trusted ({clip(str(error.certificate_error))})"
        raise UntrustedGatewayError(f"{text}: SSL_CERT_FILE names another CA") from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise GatewayAbsentError(f"nothing can be reached at {origin} ({_reason(error)})") from error
    except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as error:
        raise InvalidAnswerError(f"{origin} does not answer as a web server does ({type(error).__name__})") from error
    except TimeoutError as error:
        raise GatewayLostError(f"{origin} gave no answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise GatewayLostError(f"the connection to {origin} broke ({_reason(error)})") from error


@asynccontextmanager
async def whole_within(seconds: float) -> AsyncIterator[None]:
    """Limit the time of a call with its whole answer, which a server could send byte by byte."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise GatewayLostError(f"the gateway gave no whole answer within {seconds:g} s") from error


def _reason(error: Exception) -> str:
    cause = getattr(error, "os_error", error)
    text = (
        getattr(cause, "strerror", None)
        or str(cause)
        or ("no answer in time" if isinstance(error, TimeoutError) else "")
    )
    return clip(f"{type(cause).__name__}: {text}" if text else type(cause).__name__)


def _faults(body: bytes) -> list[RefusedFault]:
    """Return the faults of an error: those of Cortex's form, those of problem+json, or none."""
    try:
        fields = decode(body.decode())
    except ValueError:
        return _plain_fault(body)
    if not isinstance(fields, dict):
        return []
    listed = fields.get("faults")
    found = [fault for one in listed[:MAX_FAULTS] if (fault := _fault(one))] if isinstance(listed, list) else []
    # Problem details (RFC 9457) have the text in `detail`, and those of the gateway a `code`.
    more = {"message": fields.get("message", fields.get("detail")), "kind": fields.get("kind", fields.get("code"))}
    first = _fault(fields | more)
    return found or ([first] if first else [])


def _plain_fault(body: bytes) -> list[RefusedFault]:
    """Return the fault of a dry run, a text between two line breaks, or of a request, as Cortex's gateway tells it."""
    text = body.decode(errors="replace")
    if text.startswith(_ERROR):
        return [RefusedFault("error", _words(text.removeprefix(_ERROR)))]
    is_one = text.startswith("\n") and text.endswith("\n") and text.strip()
    return [RefusedFault("error", _words(text))] if is_one else []


def _fault(fields: object) -> RefusedFault | None:
    if not isinstance(fields, dict):
        return None
    kind, message = fields.get("kind"), fields.get("message")
    if not isinstance(message, str) or not message.strip():
        return None
    return RefusedFault(clip(kind) if isinstance(kind, str) else "error", _words(message))


def _words(text: str) -> str:
    """Return a text as one line. What follows an empty line in faults of Cortex is the same in all of them."""
    paragraph = text[: 2 * MAX_FAULT_CHARS].strip().partition("\n\n")[0]
    return clip(" ".join(paragraph.split()), MAX_FAULT_CHARS)
