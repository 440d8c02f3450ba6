"""The container beside the sidecar. It is ready at once, and responds at once or after `work_s`."""

from __future__ import annotations

import asyncio
from functools import partial

from bench.canned.http import Request, whole
from bench.canned.state import State
from bench.wire_format import json_text

WHOLE_BYTES = 64 * 1024


class Container:
    """Responds to every POST with JSON of `result_bytes` bytes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._answers: dict[int, tuple[bytes, int, bytes]] = {}

    def serve(self, request: Request) -> None:
        """Respond to one request."""
        if request.method != b"POST":
            request.answer(whole("200 OK", b""))
            return
        # The latency of the message ends here.
        self._state.requests["POST"] += 1
        self._state.count_post()
        size = self._state.shape.result_bytes
        if size not in self._answers:
            self._answers[size] = _answer(size)
        answer = partial(self._answer, request, self._answers[size])
        if work_s := self._state.shape.work_s:
            asyncio.get_running_loop().call_later(work_s, answer)
        else:
            answer()

    def _answer(self, request: Request, reply: tuple[bytes, int, bytes]) -> None:
        self._state.count_answer()
        request.answer(*reply)


def _answer(size: int) -> tuple[bytes, int, bytes]:
    fields = ("Server: canned", "Content-Type: application/json", f"Content-Length: {size}")
    start = ("\r\n".join(("HTTP/1.1 200 OK", *fields)) + "\r\n\r\n").encode()
    if size <= WHOLE_BYTES:
        return start + json_text(size), 0, b""
    return start + b'{"scores": "', size - 14, b'"}'
