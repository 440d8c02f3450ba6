"""A batch container that doubles numbers, as a process. It imports only the standard library.

It writes a line for each answer, before it sends it, to a file of its own in the folder that `CALLS` names. An item is a
number, or a path whose last part is one. Which of them fail depends on the number alone:

- `n % 1009 == 7`: named as failed for good.
- `n % 1013 == 5`: named as failed, to be tried again; tried again it succeeds.
- a batch in which a number is `REFUSED`: status 500.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REFUSED = 777
COMPLETE = "/on-job-complete"


def number_of(item: object) -> int:
    """Return the number of an item."""
    return int(str(item).rpartition("/")[2])


def fails(number: int) -> bool:
    """Return whether an item is named as failed for good."""
    return number % 1009 == 7


def is_retried(number: int) -> bool:
    """Return whether an item is named as failed at the first time."""
    return number % 1013 == 5


def answer(numbers: list[int], *, is_again: bool) -> Any:
    """Return the body of a response. `is_again`: these items are tried again."""
    retried = set() if is_again else {number for number in numbers if is_retried(number)}
    failed = {number for number in numbers if fails(number)}
    results = [None if number in failed | retried else 2 * number for number in numbers]
    failures = [
        {"index": at, "error": "as its number says", "retry": number in retried}
        for at, number in enumerate(numbers)
        if number in failed | retried
    ]
    return {"results": results, "failures": failures} if failures else results


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    # Otherwise the response leaves in two packets, of which the second waits for the acknowledgement of the first.
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer a readiness probe."""
        self._reply(200, b"")

    def do_POST(self) -> None:
        """Answer a batch, or the completion."""
        at = time.time()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        numbers = [] if self.path == COMPLETE else [number_of(item) for item in body]
        status = 500 if REFUSED in numbers else 200
        # Only a batch that is tried again has no other items: those that are retried are far from each other.
        reply = answer(numbers, is_again=all(map(is_retried, numbers)) if numbers else False)
        results = reply["results"] if isinstance(reply, dict) else reply
        record = {"at": at, "path": self.path, "status": status, "items": numbers, "results": results}
        os.write(LOG, json.dumps(record, separators=(",", ":")).encode() + b"\n")
        self._reply(status, json.dumps(reply).encode())

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    # Each line is one unbuffered write: a SIGKILL loses none and leaves no part of one.
    LOG = os.open(f"{os.environ['CALLS']}/{os.getpid()}-{time.time_ns()}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["CORTEX_PORT"])), Handler).serve_forever()
    sys.exit(1)
