"""S3, path style, for one bucket in which every request has a payload and headers."""

from __future__ import annotations

import re
from typing import TypeAlias
from urllib.parse import parse_qs

from bench.canned.http import Request, head, whole
from bench.canned.job import SOURCE_KEY, SUBMISSION, Source, listing
from bench.canned.state import State
from bench.wire_format import BEGUN, E_TAG, HEADERS_JSON, LAST_MODIFIED, LIFECYCLE, LISTING, deleted, listing_of

XML = "Content-Type: application/xml"
_OBJECT = (f"ETag: {E_TAG}", f"Last-Modified: {LAST_MODIFIED}", "Accept-Ranges: bytes")
_JSON = "Content-Type: application/json"
_HEADERS = whole("200 OK", HEADERS_JSON, *_OBJECT, _JSON)
_PUT = whole("200 OK", b"", f"ETag: {E_TAG}")
_DELETED_ONE = head("204 No Content", 0).replace(b"Content-Length: 0\r\n", b"")
_DELETED_QUIETLY = whole("200 OK", deleted([]).encode(), XML)
_KEY = re.compile(rb"<Key>([^<]+)</Key>")
_LISTING = whole("200 OK", LISTING.encode(), XML)
_LIFECYCLE = whole("200 OK", LIFECYCLE.encode(), XML)
_MISSING = whole("404 Not Found", b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>", XML)
_BEGUN = whole("200 OK", BEGUN.encode(), XML)
_COMPLETED = whole(
    "200 OK",
    b"<CompleteMultipartUploadResult><Location>l</Location><Bucket>bench-bucket</Bucket><Key>key</Key>"
    b"<ETag>&quot;9a0364b9e99bb480dd25e1f0284c8555-2&quot;</ETag></CompleteMultipartUploadResult>",
    XML,
)


Reply: TypeAlias = tuple[str, bytes, int]
"""Operation, response, and the number of filler bytes after it."""
WHOLE_BYTES = 64 * 1024
_UNKNOWN: Reply = ("", b"", 0)


class S3:
    """Serves one bucket; its name is not checked."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._payloads: dict[int, tuple[bytes, int]] = {}
        self._source = Source(0, 100)

    def serve(self, request: Request) -> None:
        """Respond to one request."""
        path, _, query = request.target.partition(b"?")
        reply = self._about_job(request, path, query) if self._state.shape.source_bytes else _UNKNOWN
        if reply is _UNKNOWN:
            reply = self._about_bucket(request, query) if query else self._about_object(request, path)
        operation, answer, filler = reply
        if not operation:
            self._state.record_unexpected(
                f"S3 {request.method.decode()} {request.target[:120].decode(errors='replace')}"
            )
            request.answer(_MISSING)
            return
        self._state.requests[operation] += 1
        shape = self._state.shape
        request.delay_s = shape.get_delay_s if request.method in (b"GET", b"HEAD") else shape.put_delay_s
        request.answer(answer, filler)

    def _about_object(self, request: Request, path: bytes) -> Reply:
        method = request.method
        if method == b"PUT":
            return "PutObject", _PUT, 0
        if method == b"DELETE":
            return "DeleteObject", _DELETED_ONE, 0
        # A range is requested only after a download broke, which is not expected here.
        if method in (b"GET", b"HEAD") and b"\r\nrange:" not in request.head.lower():
            found = (_HEADERS, 0) if path.endswith(b"/headers.json") else self._payload()
            if not path.endswith((b"/headers.json", b"/payload")):
                return _UNKNOWN
            if method == b"HEAD":
                return "HeadObject", found[0].partition(b"\r\n\r\n")[0] + b"\r\n\r\n", 0
            return "GetObject", *found
        return _UNKNOWN

    def _about_job(self, request: Request, path: bytes, query: bytes) -> Reply:
        """Respond to the enqueuer: the submission, the listing of the source, and its ranges."""
        shape = self._state.shape
        if self._source.size != shape.source_bytes:
            self._source = Source(shape.source_bytes, shape.item_bytes)
        if request.method != b"GET":
            return _UNKNOWN
        if b"list-type" in query:
            return "ListObjectsV2", whole("200 OK", listing(shape.source_bytes), XML), 0
        if path.endswith(b"/payload.json"):
            return "GetObject", whole("200 OK", SUBMISSION, *_OBJECT, _JSON), 0
        if path.endswith(b"/checkpoint.json"):
            return "GetObject", _MISSING, 0
        found = self._source.read(request.head) if path.endswith(SOURCE_KEY.encode()) else None
        if found is None:
            return _UNKNOWN
        body, given = found
        fields = (f"Content-Range: {given}", 'ETag: "source"', f"Last-Modified: {LAST_MODIFIED}")
        return "GetObject", whole("206 Partial Content", body, *fields), 0

    def _payload(self) -> tuple[bytes, int]:
        size = self._state.shape.payload_bytes
        if size not in self._payloads:
            first = head("200 OK", size, *_OBJECT, "Content-Type: application/octet-stream")
            self._payloads[size] = (first + b"x" * size, 0) if size <= WHOLE_BYTES else (first, size)
        return self._payloads[size]

    def _about_bucket(self, request: Request, query: bytes) -> Reply:
        method = request.method
        fields = {field.partition(b"=")[0] for field in query.split(b"&")}
        if self._state.shape.requests_wait and b"list-type" in fields and b"%2F_" not in query:
            [prefix] = parse_qs(query.decode())["prefix"]
            return "ListObjectsV2", whole("200 OK", listing_of(f"{prefix}status/in_queue").encode(), XML), 0
        answers = {
            (b"GET", b"list-type"): ("ListObjectsV2", _LISTING),
            (b"GET", b"lifecycle"): ("GetBucketLifecycleConfiguration", _LIFECYCLE),
            (b"POST", b"delete"): ("DeleteObjects", _DELETED_QUIETLY),
            (b"POST", b"uploads"): ("CreateMultipartUpload", _BEGUN),
            (b"PUT", b"partNumber"): ("UploadPart", _PUT),
            (b"POST", b"uploadId"): ("CompleteMultipartUpload", _COMPLETED),
            (b"DELETE", b"uploadId"): ("AbortMultipartUpload", _DELETED_ONE),
        }
        if method == b"POST" and b"delete" in fields and b"<Quiet>true" not in request.body:
            keys = [name.decode() for name in _KEY.findall(request.body)]
            return "DeleteObjects", whole("200 OK", deleted(keys).encode(), XML), 0
        return next(((*answers[method, field], 0) for field in fields if (method, field) in answers), _UNKNOWN)
