"""Every limit of what a client may send, from outside. What is refused reaches neither S3 nor SQS: there are none."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest

from tests.integration.cloud import Bucket
from tests.integration.gateway_process import Gateway
from tests.integration.servers import free_port

MIB = 2**20
AUTHORIZED = "Authorization: Bearer web\r\n"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("limits") / "tokens.yaml"
    callers = [
        {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "apis": "*", "may": "submit", **more}
        for name, more in (("web", {}), ("small", {"max_bytes": "1KiB"}), ("slow", {"rate": 0.001, "burst": 1}))
    ]
    path.write_text(json.dumps(callers), encoding="utf-8")
    nowhere = f"http://127.0.0.1:{free_port()}"
    more = {"DEQUEUER_TOKENS": str(path), "DEQUEUER_MAX_PAYLOAD_BYTES": "1MiB"}
    with Gateway(nowhere, Bucket(None, "bucket"), f"{nowhere}/1/q", more=more) as running:
        running.wait_started()
        yield running


def send(gateway: Gateway, head: str, body: bytes = b"") -> HTTPResponse:
    """Send a submission as it stands, and perhaps less than it announces; return the head of the answer."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        client.sendall(f"POST /api HTTP/1.1\r\nHost: g\r\nConnection: close\r\n{head}\r\n".encode() + body)
        answer = HTTPResponse(client)
        answer.begin()
        return answer


def chunked(size: int) -> bytes:
    return b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n"


def test_the_payload_of_the_gateway(limited: Gateway) -> None:
    answer = send(limited, f"{AUTHORIZED}Content-Length: {MIB + 1}\r\n")
    assert (answer.status, b"larger than the 1048576 bytes allowed" in answer.read()) == (413, True)


def test_the_body_of_a_caller(limited: Gateway) -> None:
    small = "Authorization: Bearer small\r\n"
    for head, body in [("Content-Length: 1025", b""), ("Transfer-Encoding: chunked", chunked(1025))]:
        answer = send(limited, f"{small}{head}\r\n", body)
        assert (answer.status, b"1024 bytes that small may send" in answer.read()) == (413, True)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("".join(f"X-{at}: a\r\n" for at in range(1001)), 400),
        ("".join(f"X-{at}: {'a' * 20_000}\r\n" for at in range(4)), 431),
        (f"X-Long: {'a' * 33_000}\r\n", 400),
    ],
    ids=["many", "together", "one"],
)
def test_headers(limited: Gateway, fields: str, status: int) -> None:
    assert send(limited, f"{AUTHORIZED}{fields}Content-Length: 1\r\n", b"x").status == status


def test_the_rate_of_a_caller(limited: Gateway) -> None:
    slow = "Authorization: Bearer slow\r\nContent-Length: 1048577\r\n"
    assert send(limited, slow).status == 413
    answer = send(limited, slow)
    assert (answer.status, int(answer.headers["Retry-After"]) > 1) == (429, True)


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("Idempotency-Key: " + "k" * 256, "invalid_idempotency_key"),
        ("Cancel-After: 169h", "invalid_deadline"),  # an hour longer than the bucket keeps it
        ("X-Webhook-URL: http://127.0.0.1/", "invalid_webhook"),
    ],
)
def test_headers_of_the_gateway(limited: Gateway, field: str, code: str) -> None:
    answer = send(limited, f"{AUTHORIZED}{field}\r\nContent-Length: 1\r\n", b"x")
    assert (answer.status, json.loads(answer.read())["code"]) == (400, code)


def test_what_was_refused_is_in_the_metrics(limited: Gateway) -> None:
    before = limited.metric('dequeuer_gateway_rejected_total{reason="payload_too_large"}')
    send(limited, f"{AUTHORIZED}Content-Length: {MIB + 1}\r\n")
    assert limited.metric('dequeuer_gateway_rejected_total{reason="payload_too_large"}') == before + 1
