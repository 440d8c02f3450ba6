"""Objects and uploads in memory behind a socket, with faults on demand: as much of S3 as streamed uploads need."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import md5
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

from tests.hostile.server import read_request, serving

FACTS = {"Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT"}


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a raw response after which the connection stays open."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in (FACTS | named).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def refusal(status: int, code: str) -> bytes:
    """Return a raw refusal in the form of S3."""
    return answer(status, f"<Error><Code>{code}</Code><Message>secret words</Message></Error>".encode())


def fields_of(raw: bytes) -> dict[str, str]:
    """Return the fields of a raw request."""
    lines = raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def decoded(body: bytes) -> bytes:
    """Decode a body in the coding `aws-chunked`, and check the checksum in its trailer."""
    whole, size = b"", -1
    while size:
        line, _, body = body.partition(b"\r\n")
        size = int(line, 16)
        whole += body[:size]
        body = body[size:].removeprefix(b"\r\n") if size else body
    assert body == b"x-amz-checksum-crc32:%b\r\n\r\n" % b64encode(crc32(whole).to_bytes(4, "big"))
    return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def step(self) -> str:
        """The step of an upload: `begin`, `part 1`, `complete`, `abort`; for other requests the method."""
        if "uploads" in self.query:
            return "begin"
        if "partNumber" in self.query:
            return f"part {self.query['partNumber']}"
        if "uploadId" in self.query:
            return "complete" if self.method == "POST" else "abort"
        return self.method.lower()


Fault = Callable[[Asked], bytes | None]
"""Returns a response to send instead; `b""`: the connection is closed; None: the request is carried out."""


@dataclass
class FakeS3:
    """One bucket. `before` can replace a request by a response; `after` can replace the response of a request."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    e_tags: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    before: Fault = lambda _asked: None
    after: Fault = lambda _asked: None
    knows_trailers: bool = True
    """Whether `aws-chunked` is decoded; otherwise the coding is stored as content, as in older stores."""
    cut_after: int = 0
    """The connection is closed after this number of responses."""
    stall_at: str = ""
    """The step that gets no response; `stalled` is set when it is requested."""
    stalled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def steps(self) -> list[str]:
        """Steps of all requests, in order."""
        return [asked.step for asked in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            raw = await read_request(reader)
            head, _, body = raw.partition(b"\r\n\r\n")
            method, target, _ = head.decode().partition("\r\n")[0].split(" ")
            parts = urlsplit(target)
            fields = fields_of(raw)
            if fields.get("content-encoding") == "aws-chunked" and self.knows_trailers:
                body = decoded(body)
            asked = Asked(
                method=method,
                path=parts.path,
                query={name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()},
                headers=fields,
                body=body,
            )
            self.asked.append(asked)
            response = self.before(asked)
            if response is None:
                response = self._carry_out(asked)
                changed = self.after(asked)
                response = response if changed is None else changed
            if asked.step == self.stall_at:
                self.stalled.set()
                await asyncio.Event().wait()
            writer.write(response)
            await writer.drain()
            if not response or len(self.asked) == self.cut_after:
                return

    def _carry_out(self, asked: Asked) -> bytes:
        if "uploads" in asked.query:
            upload_id = f"id/{len(self.uploads)}+"
            self.uploads[upload_id] = {}
            body = f"<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
            return answer(200, body.encode())
        return self._of_upload(asked) if "uploadId" in asked.query else self._of_object(asked)

    def _of_object(self, asked: Asked) -> bytes:
        if asked.method == "PUT":
            self.objects[asked.path] = asked.body
            return answer(200)
        if asked.path not in self.objects:
            return refusal(404, "NoSuchKey")
        whole, e_tag = self.objects[asked.path], self.e_tags[asked.path]
        return answer(206, whole[:1], Content_Range=f"bytes 0-0/{len(whole)}", ETag=f'"{e_tag}"')

    def _of_upload(self, asked: Asked) -> bytes:
        upload_id = asked.query["uploadId"]
        if upload_id not in self.uploads:
            return refusal(404, "NoSuchUpload")
        if asked.step == "abort":
            del self.uploads[upload_id]
            return answer(204)
        if asked.step == "complete":
            parts = self.uploads.pop(upload_id)
            self.objects[asked.path] = b"".join(parts[number] for number in sorted(parts))
            digests = b"".join(md5(parts[number]).digest() for number in sorted(parts))  # noqa: S324 - as S3 does
            self.e_tags[asked.path] = f"{md5(digests).hexdigest()}-{len(parts)}"  # noqa: S324 - as S3 does
            return answer(200, b'<?xml version="1.0"?>\n   \n<CompleteMultipartUploadResult/>')
        self.uploads[upload_id][int(asked.query["partNumber"])] = asked.body
        return answer(200, ETag=f'"{md5(asked.body).hexdigest()}"')  # noqa: S324 - as S3 does


@asynccontextmanager
async def fake_s3() -> AsyncIterator[FakeS3]:
    """Run the server."""
    fake = FakeS3()
    async with serving(fake.serve) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake


class times:  # noqa: N801 - used like a function
    """A `Fault` that sends `response` the first `count` times that a step is requested."""

    def __init__(self, count: int, step: str, response: bytes) -> None:
        self.left, self.step, self.response = count, step, response

    def __call__(self, asked: Asked) -> bytes | None:
        if asked.step != self.step or not self.left:
            return None
        self.left -= 1
        return self.response
