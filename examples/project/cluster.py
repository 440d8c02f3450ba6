"""Calls to other APIs of the cluster, and the server of a container. Only the standard library is needed."""

import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INGRESS = "istio-system.svc.cluster.local"
ATTEMPTS = 30
TIMED_OUT, TOO_MANY = 408, 429


def url_of(name: str, domain: str = "", port: int = 80) -> str:
    """Return the URL of a Service of the cluster. `dequeuer dev` gives its address where it cannot give its name."""
    host = f"{name}.{domain}" if domain else name
    try:
        socket.getaddrinfo(host, port)
    except socket.gaierror:
        variable = name.upper().replace("-", "_") + "_SERVICE"
        return f"http://{os.environ[variable + '_HOST']}:{os.environ[variable + '_PORT']}"
    return f"http://{host}:{port}"


def apis_url() -> str:
    """Return where the APIs of the cluster have their endpoints."""
    return url_of("ingressgateway-apis", INGRESS)


def operator_url() -> str:
    """Return where jobs are submitted."""
    return url_of("ingressgateway-operator", INGRESS)


def call(url: str, body: object = None) -> object:
    """Return the JSON of an answer. What fails for now is called again: a pod may have been ended in the middle."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - http
    for attempt in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - http
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if not is_for_now(error.code) or attempt == ATTEMPTS - 1:
                raise
        except (OSError, ValueError, HTTPException):  # refused, cut off, or half of an answer
            if attempt == ATTEMPTS - 1:
                raise
        time.sleep(min(0.1 * 2**attempt, 1))
    return None


def is_for_now(status: int) -> bool:
    """Return whether a status says that the same call may succeed later."""
    return status >= 500 or status in {TIMED_OUT, TOO_MANY}


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the JSON that `answer` returns."""

    protocol_version = "HTTP/1.1"
    answer: Callable[[str, str, object], object]

    def do_GET(self) -> None:
        """Answer a request without a body."""
        self.reply(None)

    def do_POST(self) -> None:
        """Answer a request with JSON in its body."""
        try:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        except ValueError:
            self.send(400, {"error": "the body is not JSON"})
        else:
            self.reply(body)

    def reply(self, body: object) -> None:
        """Send the answer; 404 for a path that the container does not have, 429 or 503 for "not now".

        What another API does not accept will not be accepted later: its status is passed on.
        """
        try:
            status, result = 200, type(self).answer(self.command, self.path, body)
        except KeyError:
            status, result = 404, {"error": "no such path"}
        except urllib.error.HTTPError as error:
            is_passed_on = error.code == TOO_MANY or not is_for_now(error.code)
            status, result = error.code if is_passed_on else 503, {"error": str(error)}
        except (OSError, ValueError, HTTPException) as error:
            status, result = 503, {"error": str(error)}
        self.send(status, result)

    def send(self, status: int, result: object) -> None:
        """Send an answer with JSON."""
        data = json.dumps(result).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Write no line for each request."""


def serve(answer: Callable[[str, str, object], object]) -> None:
    """Serve requests for ever. `answer` gets method, path and JSON."""
    handler = type("Container", (Handler,), {"answer": staticmethod(answer)})
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["CORTEX_PORT"])), handler).serve_forever()
