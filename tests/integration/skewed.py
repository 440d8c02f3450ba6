"""A proxy to the cloud with a wrong clock: it refuses signatures of other times, and sends its own time."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.integration.cloud import Cloud, Queue

_ALLOWED_S = 300.0
_NOT_PASSED_ON = frozenset({"connection", "transfer-encoding", "content-length", "date", "keep-alive", "server"})


@dataclass
class Skewed:
    """The server.

    Attributes:
        off_s: what its clock is ahead; may be changed at any time.
        gathers: refusals are held back until there are so many, so that all of them were in flight together.
        refused: how many there were.
    """

    cloud: Cloud
    off_s: float
    url: str = ""
    gathers: int = 0
    refused: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def refuse(self) -> None:
        """Count a refusal, and wait until there are enough of them."""
        with self.changed:
            self.refused += 1
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.refused >= self.gathers, 60)

    def settings(self, queue: Queue) -> dict[str, str]:
        """Return the settings with which a sidecar uses the proxy."""
        return {"AWS_ENDPOINT_URL": self.url, "DEQUEUER_QUEUE_URL": queue.url.replace(self.cloud.url, self.url)}

    def is_signed_now(self, stamp: str) -> bool:
        """Return whether the time of the signature is near that of this server."""
        signed = time.strptime(f"{stamp}+0000", "%Y%m%dT%H%M%SZ%z")
        return abs(time.time() + self.off_s - (time.mktime(signed) - time.timezone)) < _ALLOWED_S


@contextmanager
def skewed(cloud: Cloud, off_s: float) -> Iterator[Skewed]:
    """Run the server."""
    server = Skewed(cloud, off_s)
    upstream = urlsplit(cloud.url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stamp = self.headers.get("x-amz-date", "")
            if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or not server.is_signed_now(stamp):
                server.refuse()
                self.answer(403, {}, b"<Error><Code>RequestTimeTooSkewed</Code><Message>no</Message></Error>")
                return
            with closing(http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)) as connection:
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                response = answer.status, dict(answer.getheaders()), answer.read()
            self.answer(*response)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do  # noqa: N815 - the names that http.server looks for

        def answer(self, status: int, fields: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in fields.items():
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            self.send_header("Date", formatdate(time.time() + server.off_s, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    class Listening(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 256

        def handle_error(self, *_: object) -> None: ...  # a sidecar that ends closes its connections

    with Listening(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
