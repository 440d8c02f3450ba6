"""A TrafficSplitter of a file: the gateway as a process, its APIs as web servers, and a shadow that does not answer."""

from __future__ import annotations

from pathlib import Path

from tests.integration.cloud import Bucket, Cloud
from tests.integration.container import Container, Reply
from tests.integration.gateway.calls import ask
from tests.integration.gateway.held import Held
from tests.integration.gateway_process import Gateway
from tests.integration.waiting import eventually

APIS = """
- &api
  name: hello-a
  kind: RealtimeAPI
  pod: {containers: [{name: api, image: i}]}
- {<<: *api, name: hello-b}
- {<<: *api, name: next}
- name: hello
  kind: TrafficSplitter
  networking: {endpoint: v1/hello}
  apis:
  - {name: hello-a, weight: 40}
  - {name: hello-b, weight: 60}
  - {name: next, weight: 100, shadow: true}
"""
REQUESTS = 40


def test_requests_are_divided_and_a_shadow_that_hangs_holds_neither_them_nor_the_end_of_the_gateway(
    cloud: Cloud, bucket: Bucket, tmp_path: Path
) -> None:
    apis = tmp_path / "cortex.yaml"
    apis.write_text(APIS)
    with Container() as a, Container() as b, Container() as following:
        a.reply, b.reply = lambda _request: Reply(body=b'{"is": "a"}'), lambda _request: Reply(body=b'{"is": "b"}')
        held = Held(following)
        servers = {"hello-a": a, "hello-b": b, "next": following}
        urls = ",".join(f"{name}=http://127.0.0.1:{server.port}" for name, server in servers.items())
        with Gateway(cloud.url, bucket, "", apis=apis, more={"DEQUEUER_REALTIME_URLS": urls}) as gateway:
            gateway.wait_started()
            for _ in range(REQUESTS):
                status, _, _ = ask(gateway, "POST", "/v1/hello")
                assert status == 200
            shares = [len(a.requests), len(b.requests)]
            assert sum(shares) == REQUESTS
            assert min(shares) > 0
            eventually(lambda: len(following.requests) == REQUESTS, "the copies to arrive")
            assert all(one.header("X-Dequeuer-Shadow") == ["true"] for one in following.requests)
            assert all(one.body == b"payload" for one in following.requests)
            assert not any(one.header("X-Dequeuer-Shadow") for one in (*a.requests, *b.requests))
            counted = [
                gateway.metric(f'dequeuer_gateway_split_requests_total{{api_name="{name}",splitter="hello"}}')
                for name in ("hello-a", "hello-b")
            ]
            assert counted == shares
            gateway.terminate()
            assert gateway.wait() == 0
        held.may_answer.set()
