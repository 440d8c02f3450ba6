"""The lines of docs/gateway.md are run, word for word."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud
from tests.integration.container import Container, Reply
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import DEADLINE_S

PAGE = Path(__file__).resolve().parents[3] / "docs" / "gateway.md"
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.splitlines()]
MARK = "--- next"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_lines_do_what_the_page_says(cloud: Cloud, bucket: Bucket, container: Container) -> None:
    queue, high = cloud.queue(max_receives=10), cloud.queue()
    container.reply = lambda _request: Reply(body=b'{"hello": "you"}')
    looks = {"DEQUEUER_PAUSE_CHECK_INTERVAL": "0.2"}
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_API_NAME="hello", **looks)
    del settings["DEQUEUER_QUEUE_URL"]
    settings["DEQUEUER_QUEUE_URLS"] = f"{high.url} 9, {queue.url} 1"
    more = {**looks, "DEQUEUER_PRIORITY_QUEUES": f"hello/high={high.url}"}
    with Gateway(cloud.url, bucket, queue.url, api_name="hello", more=more) as gateway, Sidecar(settings):
        gateway.wait_started()
        script = "set -euo pipefail\n" + "".join(f"{line}\necho; echo '{MARK}'\n" for line in LINES)
        environment = {"PATH": os.environ["PATH"], "GATEWAY": f"http://127.0.0.1:{gateway.port}"}
        ran = subprocess.run(
            [shutil.which("bash") or "bash", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=True,
        )
    (
        _,
        asked,
        waited,
        events,
        listed,
        paused,
        resumed,
        dead,
        redriven,
        apis,
        counts,
        payload,
        cancelled,
        after,
        moment,
        high_one,
        keyed,
        described,
        known,
    ) = [part.strip() for part in ran.stdout.split(MARK)][:-1]
    assert json.loads(asked)["result"] == {"hello": "you"}
    assert re.search(r"^HTTP/1.1 200 OK\r?$.*^Preference-Applied: wait=30\r?$", waited, re.MULTILINE | re.DOTALL)
    assert json.loads(events.partition("data: ")[2])["status"] == "completed"
    # The second request is the newer one.
    assert [one["status"] for one in json.loads(listed)["requests"]] == ["completed", "completed"]
    assert json.loads(listed)["requests"][1]["id"] == json.loads(asked)["id"]
    assert json.loads(paused)["message"] == "paused API hello"
    assert json.loads(resumed) == {"message": "resumed API hello"}
    assert json.loads(dead)["dead_letters"] == []
    assert json.loads(redriven) == {"moved": 0, "left": 0}
    assert json.loads(apis) == {"apis": [{"name": "hello", "kind": "AsyncAPI", "endpoint": "/hello"}]}
    assert json.loads(counts)["dead_letters"] == 0
    # Requests of this page have completed: their payloads are deleted a moment later.
    assert payload == '{"name": "you"}' or json.loads(payload)["code"] == "no_payload"
    assert json.loads(cancelled)["status"] == "completed"
    for submitted in (after, moment, high_one, keyed):
        assert list(json.loads(submitted)) == ["id"]
    assert "/hello/{request_id}" in json.loads(described)["paths"]
    assert json.loads(known) == [{"metadata": {"name": "hello", "kind": "AsyncAPI"}}]
