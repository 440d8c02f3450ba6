"""The examples of docs/client.md are run, word for word."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import ROOT, Sidecar, async_settings
from tests.integration.waiting import DEADLINE_S

PAGE = ROOT / "docs" / "client.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
MARK = "--- next"
APIS = """
- &api
  name: hello
  kind: AsyncAPI
  pod: {containers: [{name: api, image: i}]}
- {<<: *api, name: iris, kind: RealtimeAPI}
- name: sum
  kind: BatchAPI
  pod: {containers: [{name: api, image: i, command: [run]}]}
"""


def test_the_examples_do_what_the_page_says(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container, tmp_path: Path
) -> None:
    (tmp_path / "cortex.yaml").write_text(APIS)
    container.reply = lambda _request: Reply(body=b'{"hello": "you"}')
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_API_NAME="hello", DEQUEUER_WORKERS="16")
    with Container(lambda _request: Reply(body=b'{"label": "setosa"}')) as iris, Sidecar(settings):
        more = {
            "DEQUEUER_QUEUES": f"hello={queue.url}",
            "DEQUEUER_REALTIME_URLS": f"iris=http://127.0.0.1:{iris.port}",
        }
        with Gateway(cloud.url, bucket, "", apis=tmp_path / "cortex.yaml", more=more) as gateway:
            gateway.wait_started()
            ran = subprocess.run(
                [sys.executable, "-c", f"print({MARK!r})\n".join(EXAMPLES)],
                env={"PYTHONPATH": str(ROOT), "DEQUEUER_GATEWAY_URL": f"http://127.0.0.1:{gateway.port}"},
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )
    assert (ran.stderr, ran.returncode) == ("", 0)
    asynchronous, script, many, others = [part.strip().splitlines() for part in ran.stdout.split(MARK)]
    request_id, _, result = asynchronous[0].partition(" ")
    assert result == "{'hello': 'you'}"
    assert asynchronous[-2].startswith("completed ")
    assert asynchronous[-1].startswith(f"{request_id} ")
    assert script == ["{'hello': 'you'}"]
    assert many == [f"{number} {{'hello': 'you'}}" for number in range(100)]
    assert others[0].endswith(" pending")
    assert others[1:] == ["200 {'label': 'setosa'}"]
    assert [one.path for one in iris.requests] == ["/predict?top=1"]
