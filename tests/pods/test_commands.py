from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from dequeuer.apis import AsyncApi, parse_apis
from dequeuer.apis.container import Container
from dequeuer.pods.commands import can_see_root, container_command
from dequeuer.pods.files import PodFolder


def container(fields: str) -> Container:
    text = f"- {{name: text, kind: AsyncAPI, pod: {{containers: [{{name: a, image: i, {fields}}}]}}}}"
    api = parse_apis(text.encode(), "cortex.yaml").get("text")
    assert isinstance(api, AsyncApi)
    return api.pod.containers[0]


def test_a_command_is_followed_by_its_arguments_with_their_references_replaced(tmp_path: Path) -> None:
    made = container('command: [serve, $(CORTEX_PORT)], args: [--all, "$(OTHER)"]')
    command = container_command(made, {"CORTEX_PORT": "1234"}, PodFolder(tmp_path), sees_root=False)
    assert command == ["serve", "1234", "--all", "$(OTHER)"]


def test_a_container_sees_the_files_of_its_own_pod_where_the_machine_allows_it(tmp_path: Path) -> None:
    folder = PodFolder(tmp_path / "pod")
    folder.write(b"{}", None, "http://gateway")
    made = container("command: [cat, /cortex/spec/job.json]")
    if asyncio.run(can_see_root(tmp_path)):
        command = container_command(made, {}, folder, sees_root=True)
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"{}"
    else:
        assert container_command(made, {}, folder, sees_root=False) == ["cat", "/cortex/spec/job.json"]
