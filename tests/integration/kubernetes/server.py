"""A container of a user, run by its path: it exits at once on SIGTERM, without a word to those that wait.

It writes down when each POST begins and ends, in the file RECORDS: `<begin or end> <pod> <what>`. WORK_S: seconds that one takes.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/work"):
            time.sleep(float(os.environ["WORK_S"]))
        self._respond(self.path.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        what = self.headers["X-Cortex-Request-ID"] or f"{self.path} {body}"
        record("begin", what)
        time.sleep(float(os.environ["WORK_S"]))
        self._respond(b'{"done": true}')
        record("end", what)

    def _respond(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore clients that have gone."""


def record(event: str, what: str) -> None:
    with open(os.environ["RECORDS"], "a", encoding="utf-8") as file:  # noqa: PTH123 - appended in one write
        file.write(f"{event} {os.environ['HOSTNAME']} {what}\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Server(("0.0.0.0", int(os.environ["CORTEX_PORT"])), Handler).serve_forever()
    sys.exit(1)
