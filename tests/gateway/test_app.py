"""The gateway as a process: it starts, serves, drains. AWS is moto."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import boto3
import pytest

from dequeuer.process.ports import free_ports
from tests.integration.servers import listens
from tests.integration.waiting import eventually
from tests.moto_server import moto_server

_RUN = """
import json, sys
from types import MappingProxyType
from dequeuer.gateway.app import run_gateway
from dequeuer.settings import AccessSettings, AwsSettings, GatewaySettings, LogSettings
from dequeuer.settings.webhook_rules import WebhookRuleSettings
facts = json.loads(sys.argv[1])
sys.exit(run_gateway(GatewaySettings(
    bucket=facts["bucket"], cluster_uid="uid", hosts=("127.0.0.1",), port=facts["port"], admin_hosts=("127.0.0.1",), admin_port=facts["admin_port"],
    shutdown_delay_s=facts.get("delay_s", 0),
    queues=MappingProxyType(facts["queues"]), priority_queues={}, apis_path=facts["apis_path"], realtime_urls={}, webhooks={}, webhook_rules=WebhookRuleSettings(allowed=()), max_payload_bytes=2**30, inline_bytes=facts.get("inline_bytes", 0),
    aws=AwsSettings(region="us-east-1", endpoint_url=facts["endpoint"], endpoint_url_sqs=None, endpoint_url_s3=None,
        client=facts.get("client", "auto"), s3_bucket_owner=facts.get("owner")),
    access=AccessSettings(tokens=facts["tokens"]),
    log=LogSettings(level="info", format="json"),
)))
"""
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        yield url


class Process:
    """A running gateway. Its log is read up to the line with its port."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.log = process.stdout
        self.first = json.loads(self.log.readline())

    def call(self, path: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        url = f"http://127.0.0.1:{self.first['port']}{path}"
        request = urllib.request.Request(url, data=data, headers=dict(headers or {}))
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            body: bytes = answer.read()
            return body

    def stop(self, times: int = 1) -> tuple[int, list[str]]:
        for _ in range(times):
            self.process.send_signal(signal.SIGTERM)
        rest = self.log.read()
        return self.process.wait(60), [json.loads(line)["event"] for line in rest.splitlines()]


@pytest.fixture(autouse=True, params=["slim", "sdk"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_UNDER_TEST", request.param)


@contextmanager
def gateway(
    endpoint: str,
    *,
    bucket: str = "bucket",
    port: int = 0,
    delay_s: float = 0,
    admin_port: int = 0,
    apis_path: str | None = None,
    owner: str | None = None,
    tokens: str | None = "none",
) -> Iterator[Process]:
    facts = {
        "tokens": tokens,
        "delay_s": delay_s,
        "admin_port": admin_port,
        "bucket": bucket,
        "client": os.environ["CLIENT_UNDER_TEST"],
        "endpoint": endpoint,
        "port": port,
        "apis_path": apis_path,
        "owner": owner,
        "queues": {"api": f"{endpoint}/123456789012/q.fifo"},
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, json.dumps(facts)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **CREDENTIALS},
    )
    with process:
        try:
            yield Process(process)
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def test_a_request_goes_in_and_its_result_comes_out(endpoint: str) -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    s3, sqs = session.client("s3", endpoint_url=endpoint), session.client("sqs", endpoint_url=endpoint)
    s3.create_bucket(Bucket="bucket")
    url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    with gateway(endpoint) as running:
        answer = running.call("/api", b'{"a":1}', {"Content-Type": "application/json"})
        request_id = json.loads(answer)["id"]
        [message] = sqs.receive_message(QueueUrl=url)["Messages"]
        assert message["Body"] == request_id
        prefix = f"uid/workloads/api/{request_id}"
        stored = s3.get_object(Bucket="bucket", Key=f"{prefix}/payload")
        assert (stored["ContentType"], stored["Body"].read()) == ("application/json", b'{"a":1}')
        assert json.loads(running.call(f"/api/{request_id}"))["status"] == "in_queue"
        s3.put_object(Bucket="bucket", Key=f"{prefix}/result.json", Body=b"[1.10]")
        s3.put_object(Bucket="bucket", Key=f"{prefix}/status/completed", Body=b"")
        written = s3.head_object(Bucket="bucket", Key=f"{prefix}/result.json")["LastModified"]
        told = running.call(f"/api/{request_id}").decode()
        assert told.startswith(
            f'{{"id":"{request_id}","status":"completed","result":[1.10],"timestamp":"{written:%Y-%m-%dT%H:%M:%SZ}",'
        )
        assert json.loads(told)["created"] <= json.loads(told)["ended"]
        assert running.stop() == (0, ["credentials_found", "request_submitted", "gateway_draining"])


def test_the_admin_port_has_health_and_metrics(endpoint: str) -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket="bucket")
    session.client("sqs", endpoint_url=endpoint).create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    [port] = free_ports(1)
    with gateway(endpoint, admin_port=port, delay_s=3600) as running:
        running.call("/api", b"x")

        def ask(path: str) -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        assert ask("/healthz")[0] == ask("/livez")[0] == 200
        metrics = ask("/metrics")[1]
        assert 'dequeuer_gateway_requests_total{route="POST /{api_name}",status="2xx"} 1.0\n' in metrics
        assert 'dequeuer_gateway_api_requests_total{api_name="api",status="2xx"} 1.0\n' in metrics
        assert 'dequeuer_source_calls_total{error="none",op="send"} 1.0\n' in metrics
        assert 'dequeuer_store_calls_total{error="none",op="put"} 3.0\n' in metrics
        running.process.send_signal(signal.SIGTERM)
        assert json.loads(running.log.readline())["event"] in {"credentials_found", "request_submitted"}
        eventually(lambda: ask("/healthz")[0] == 500, "the drain")
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 1


def test_an_api_of_a_file_is_served_at_its_endpoint(endpoint: str, tmp_path: Path) -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket="bucket")
    session.client("sqs", endpoint_url=endpoint).create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    path = tmp_path / "cortex.yaml"
    path.write_text(
        "- name: api\n  kind: AsyncAPI\n  networking: {endpoint: v1/text}\n  pod: {containers: [{name: a, image: b}]}\n"
        "- {name: sum, kind: BatchAPI, pod: {containers: [{name: a, image: b, command: [c]}]}}\n"
    )
    with gateway(endpoint, apis_path=str(path)) as running:
        assert running.first["apis"] == ["api", "sum"]
        request_id = json.loads(running.call("/v1/text", b"x"))["id"]
        assert json.loads(running.call(f"/v1/text/{request_id}"))["status"] == "in_queue"
        assert running.stop()[0] == 0


def test_a_gateway_without_tokens_says_once_that_anyone_may_call(endpoint: str) -> None:
    with gateway(endpoint, tokens=None) as running:
        assert json.loads(running.log.readline())["event"] == "gateway_open"
        assert running.stop() == (0, ["gateway_draining"])


def test_the_tokens_of_a_file_count(endpoint: str, tmp_path: Path) -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket="bucket")
    session.client("sqs", endpoint_url=endpoint).create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    path = tmp_path / "tokens.yaml"
    path.write_text(f"- {{name: web, sha256: '{hashlib.sha256(b'good').hexdigest()}', apis: [api], may: [submit]}}\n")
    with gateway(endpoint, tokens=str(path)) as running:
        with pytest.raises(urllib.error.HTTPError) as caught:
            running.call("/api", b"x", {"Authorization": "Bearer bad"})
        with caught.value as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "id" in json.loads(running.call("/api", b"x", {"Authorization": "Bearer good"}))
        path.write_text("[]")
        seen = []
        while "tokens_not_reloaded" not in seen:
            line = running.log.readline()
            assert line, "the process has ended"
            assert "good" not in line
            seen.append(json.loads(line)["event"])
        assert "id" in json.loads(running.call("/api", b"x", {"Authorization": "Bearer good"}))
    seen.remove("credentials_found")
    assert seen == ["request_refused", "audit", "request_submitted", "audit", "tokens_not_reloaded"]


class OwnedS3(BaseHTTPRequestHandler):
    """S3 with one file in each bucket; it remembers whose account each bucket was expected to be of."""

    owners: ClassVar[dict[str, set[str | None]]] = {}

    def do_GET(self) -> None:
        self._answer(
            b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>1</Size></Contents>"
            b"</ListBucketResult>"
        )

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        bucket = urlsplit(self.path).path.split("/")[1]
        self.owners.setdefault(bucket, set()).add(self.headers["x-amz-expected-bucket-owner"])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def test_the_owner_is_expected_of_the_own_bucket_and_not_of_those_of_files(tmp_path: Path) -> None:
    path = tmp_path / "cortex.yaml"
    path.write_text(
        "- {name: sum, kind: BatchAPI, pod: {containers: [{name: a, image: b, command: [c]}]}}\n"
        "- {name: api, kind: AsyncAPI, pod: {containers: [{name: a, image: b}]}}\n"
    )
    OwnedS3.owners.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), OwnedS3) as s3:
        threading.Thread(target=s3.serve_forever).start()
        try:
            with gateway(f"http://127.0.0.1:{s3.server_port}", apis_path=str(path), owner="012345678901") as running:
                files = {"s3_paths": ["s3://other"], "batch_size": 1}
                running.call("/batch/sum", json.dumps({"workers": 1, "delimited_files": files}).encode())
                assert running.stop()[0] == 0
        finally:
            s3.shutdown()
    assert OwnedS3.owners == {"other": {None}, "bucket": {"012345678901"}}


def test_a_bucket_that_does_not_exist(endpoint: str) -> None:
    with gateway(endpoint, bucket="nothing") as running:
        with pytest.raises(urllib.error.HTTPError) as caught:
            running.call("/api", b"x")
        with caught.value as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert b"refuses the gateway" in answer.read()
        assert running.stop() == (0, ["credentials_found", "request_refused", "gateway_draining"])


def test_sigterm_lets_a_running_request_end(endpoint: str) -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket="bucket")
    session.client("sqs", endpoint_url=endpoint).create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    with (
        gateway(endpoint) as running,
        socket.create_connection(("127.0.0.1", running.first["port"])) as client,
    ):
        head = b"POST /api HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        client.sendall(head)
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        running.process.send_signal(signal.SIGTERM)
        assert json.loads(running.log.readline())["event"] == "gateway_draining"
        # Sent after it has begun to stop: it must still read the rest of the payload.
        eventually(lambda: not listens(running.first["port"]), "the gateway to stop listening")
        client.sendall(b"body")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert running.process.wait(60) == 0


def test_a_second_sigterm_does_not_wait(endpoint: str) -> None:
    with (
        gateway(endpoint) as running,
        socket.create_connection(("127.0.0.1", running.first["port"])) as client,
    ):
        client.sendall(b"POST /api HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        running.process.send_signal(signal.SIGTERM)
        assert json.loads(running.log.readline())["event"] == "gateway_draining"
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 1


def test_a_port_that_is_taken(endpoint: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, gateway(endpoint, port=taken.getsockname()[1]) as running:
        assert running.first["event"] == "gateway_cannot_listen"
        assert running.process.wait(60) == 1


def status_of(running: Process, path: str) -> int:
    try:
        running.call(path)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 200


def test_sigterm_fails_the_readiness_first_serving_continues_and_a_second_one_skips_the_delay(endpoint: str) -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket="bucket")
    session.client("sqs", endpoint_url=endpoint).create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    with gateway(endpoint, delay_s=3600) as running:
        assert status_of(running, "/healthz") == 200
        running.process.send_signal(signal.SIGTERM)
        draining = json.loads(running.log.readline())
        assert (draining["event"], draining["closes_after_s"]) == ("gateway_draining", 3600)
        assert status_of(running, "/healthz") == 503
        request_id = json.loads(running.call("/api", b"x"))["id"]
        assert json.loads(running.call(f"/api/{request_id}"))["status"] == "in_queue"
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 1


def test_it_ends_by_itself_when_the_delay_is_over(endpoint: str) -> None:
    with gateway(endpoint, delay_s=1) as running:
        asked_at = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 0
        assert time.monotonic() - asked_at >= 1
        assert not listens(running.first["port"])
