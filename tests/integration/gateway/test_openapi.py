"""schemathesis calls a real gateway with what its document allows, and with what it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.gateway.access.stage import entry
from tests.integration.cloud import Bucket, Cloud
from tests.integration.container import Container, Reply
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar, async_settings

MAX_S: Final = 40
"""For all calls."""
SEED: Final = os.environ.get("OPENAPI_SEED", "1")
# No path of one segment belongs to an API that takes no ids there: what `GET /get/<api>` names is tried as an id, too.
APIS = """
- name: api
  kind: AsyncAPI
  networking: {endpoint: v1/text}
  pod: {containers: [{name: api, image: i, command: [a]}]}
- name: sum
  kind: BatchAPI
  networking: {endpoint: v1/sum}
  pod: {containers: [{name: api, image: i, command: [a]}]}
- name: train
  kind: TaskAPI
  networking: {endpoint: v1/train}
  pod: {containers: [{name: api, image: i, command: [a]}]}
- name: hello
  kind: RealtimeAPI
  networking: {endpoint: v1/hello}
  pod: {containers: [{name: api, image: i, command: [a]}]}
"""
CONFIGURATION: Final = """
color = false
continue-on-failure = true
warnings = false
# The events of a job that nobody runs would not end.
max-stream-events = 1
request-timeout = 60

[generation]
max-examples = 20
database = "none"

[checks]
# A path of one API is matched by the routes of any API, too: these answer 404 with what to do, and not 405.
unsupported_method.enabled = false
# DELETE asks for a cancellation: the request stays, with its status.
use_after_free.enabled = false

[[operations]]
# These are the container's answers.
include-tag = "realtime"
enabled = false

[[operations]]
# Whether a submission is accepted depends on what no schema says: buckets that exist, receivers and queues that are
# allowed, one of two headers.
include-method = "POST"
checks.positive_data_acceptance.enabled = false

[[operations]]
# A job that is not there is 400, as in Cortex.
include-tag = "jobs"
checks.positive_data_acceptance.enabled = false

[[operations]]
# What only the manifests can do is refused.
include-tag = "apis"
include-method = "DELETE"
checks.positive_data_acceptance.enabled = false
"""


def test_schemathesis_finds_nothing(cloud: Cloud, bucket: Bucket, container: Container, tmp_path: Path) -> None:
    queue, high = cloud.queue(max_receives=3), cloud.queue(max_receives=3)
    assert queue.dead_letters is not None
    for name in ("one", "two"):
        queue.dead_letters.send(name)
    container.reply = lambda _request: Reply(body=b'{"a": 1}')
    apis = tmp_path / "cortex.yaml"
    apis.write_text(APIS)
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(json.dumps([entry("token")]))
    more = {
        "DEQUEUER_QUEUES": f"api={queue.url}",
        "DEQUEUER_PRIORITY_QUEUES": f"api/high={high.url}",
        "DEQUEUER_TOKENS": str(tokens),
        "DEQUEUER_PAUSE_CHECK_INTERVAL": "60",  # of the gateway alone: the sidecar, which has none, goes on
    }
    settings = async_settings(cloud, queue, bucket, container.port)
    del settings["DEQUEUER_QUEUE_URL"]
    settings["DEQUEUER_QUEUE_URLS"] = f"{high.url} 9, {queue.url} 1"
    with Gateway(cloud.url, bucket, queue.url, apis=apis, more=more) as gateway, Sidecar(settings):
        gateway.wait_started()
        ran = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(configuration)),
                *("run", f"http://127.0.0.1:{gateway.port}/openapi.json"),
                *("--max-time", str(MAX_S), "--seed", SEED, "--header", "Authorization: Bearer token"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=MAX_S + 120,
            check=False,
        )
        assert gateway.events("request_error") == []
    assert ran.returncode == 0, ran.stdout + ran.stderr
