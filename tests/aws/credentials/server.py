"""STS, a container's agent and IMDS as one server with canned responses, on 127.0.0.1 or ::1."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

CannedResponse = tuple[int, bytes]
NEVER: CannedResponse = (0, b"")
"""The request is read and gets no response."""
CUT: CannedResponse = (-1, b"")
"""The connection is closed without a response."""
ROLE_PATH = "/latest/meta-data/iam/security-credentials/"


def instant(after_s: float) -> str:
    """Return the time `after_s` from now, as AWS writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + after_s))


def found(**more: object) -> bytes:
    """Return credentials as agents and IMDS send them."""
    fields = {
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIAFOUND",
        "SecretAccessKey": "secret/found",
        "Token": "token==",
        "Expiration": instant(6 * 3600),
    }
    return json.dumps({name: value for name, value in (fields | more).items() if value is not ...}).encode()


def assumed(expiration: str | None = None, token: str = "token==") -> bytes:
    """Return a response of STS with credentials."""
    return f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleWithWebIdentityResult>
        <SubjectFromWebIdentityToken>system:serviceaccount:default:api</SubjectFromWebIdentityToken>
        <Credentials>
          <AccessKeyId>ASIAASSUMED</AccessKeyId><SecretAccessKey>secret/assumed+</SecretAccessKey>
          <SessionToken>{token}</SessionToken><Expiration>{expiration or instant(3600)}</Expiration>
        </Credentials>
        <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/api/x</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser>
      </AssumeRoleWithWebIdentityResult>
      <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
    </AssumeRoleWithWebIdentityResponse>""".encode()


def refused(code: str, message: str = "no") -> bytes:
    """Return an error of STS."""
    return (
        f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    ).encode()


@dataclass(frozen=True)
class RecordedRequest:
    """A request, without the parts that clients may choose freely."""

    method: str
    path: str
    fields: dict[str, str]
    form: dict[str, list[str]]


@dataclass
class Server:
    """Responses by method and path. They are used in turn; the last one is used again and again."""

    url: str = ""
    port: int = 0
    answers: dict[str, list[CannedResponse]] = field(default_factory=dict)
    requests: list[RecordedRequest] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def answer(self, what: str, *answers: CannedResponse) -> None:
        """Set the responses. `what`: method and path."""
        self.answers[what] = list(answers)

    def take(self, what: str) -> CannedResponse:
        """Return the next response; 404 when none is set."""
        answers = self.answers.get(what, [(404, b"not here")])
        return answers.pop(0) if len(answers) > 1 else answers[0]


_RECORDED_FIELDS = (
    "authorization",
    "accept",
    "content-type",
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
)


@contextmanager
def serving(host: str = "127.0.0.1", date_off_s: float = 0) -> Iterator[Server]:
    """Run a server. `date_off_s`: how far its clock is ahead, seconds."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            fields = {name: self.headers[name] for name in _RECORDED_FIELDS if self.headers[name] is not None}
            server.requests.append(
                RecordedRequest(self.command, self.path, fields, parse_qs(body, keep_blank_values=True))
            )
            status, text = server.take(f"{self.command} {self.path}")
            if status <= 0:
                if status == 0:
                    server.closing.wait(60)
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST = do  # noqa: N815 - the names that http.server looks for

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string((timestamp or time.time()) + date_off_s)

        def log_message(self, *_: object) -> None: ...

    class Listening(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None: ...  # a client without a response has closed the connection

    with Listening((host, 0), Handler) as listening:
        server.port = listening.server_address[1]
        server.url = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            listening.shutdown()
            thread.join()


Teach = Callable[[Server], None]


def imds(server: Server, body: bytes | None = None) -> None:
    """Set the responses of an IMDS of version 2 with one role."""
    server.answer("PUT /latest/api/token", (200, b"session-token"))
    server.answer(f"GET {ROLE_PATH}", (200, b"node-role"))
    server.answer(f"GET {ROLE_PATH}node-role", (200, body if body is not None else found()))
