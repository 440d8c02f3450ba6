"""What the raw client sends, and what the canned container answers."""

from __future__ import annotations

from typing import Final

from bench.wire_format import API, json_text

REQUEST_BYTES: Final = 1024
RESULT_BYTES: Final = 1024
ID_BYTES: Final = 46
"""Of the response to a submission."""
EVENT: Final = b"data: " + b"x" * 92 + b"\n\n"
EVENTS_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ndate: Fri, 20 Nov 2026 10:00:00 GMT\r\nserver: uvicorn\r\ncache-control: no-store\r\n"
    b"content-type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
)
EVENTS: Final = "/v1/events"
PREDICT: Final = "/v1/models/text:predict?version=3"
BYTES: Final = "/v1/bytes/"
"""Followed by the number of bytes that are wanted."""
UPLOAD: Final = "/v1/upload"
HEAD_END: Final = b"\r\n\r\n"
_FIELDS: Final = (
    "Host: api.example.com\r\nUser-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
    "Connection: keep-alive\r\n"
)


def predict() -> bytes:
    """Return the request of the rows of CPU and latency: a POST as `requests` sends it."""
    return post(PREDICT, REQUEST_BYTES) + json_text(REQUEST_BYTES)


def submit() -> bytes:
    """Return a submission to the gateway, with the same fields and payload."""
    return post(f"/{API}", REQUEST_BYTES) + json_text(REQUEST_BYTES)


def post(target: str, size: int) -> bytes:
    """Return the head of a POST."""
    fields = f"{_FIELDS}Content-Length: {size}\r\nContent-Type: application/json\r\n"
    return f"POST {target} HTTP/1.1\r\n{fields}\r\n".encode()


def get(target: str) -> bytes:
    """Return a GET."""
    return f"GET {target} HTTP/1.1\r\n{_FIELDS}\r\n".encode()


def head(size: int) -> bytes:
    """Return the head of a response, as uvicorn sends it."""
    return (
        "HTTP/1.1 200 OK\r\ndate: Fri, 20 Nov 2026 10:00:00 GMT\r\nserver: uvicorn\r\n"
        f"content-length: {size}\r\ncontent-type: application/json\r\n\r\n"
    ).encode()


def result() -> bytes:
    """Return the response to `predict`."""
    return head(RESULT_BYTES) + json_text(RESULT_BYTES)


def chunk(data: bytes) -> bytes:
    """Return data as a chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)
