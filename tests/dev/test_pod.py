from __future__ import annotations

import asyncio
import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from dequeuer.apis import AsyncApi, RealtimeApi, parse_apis
from dequeuer.dev.addresses import Addresses
from dequeuer.dev.pod import Pod, PodPlace, is_container_name, is_sidecar_name
from dequeuer.dev.process_specs import ProcessSpecs
from dequeuer.dev.sidecars import async_sidecar, realtime_sidecar
from dequeuer.pods.commands import can_see_root

PRINTS = """
import os
root = os.environ.get("CORTEX_ROOT", "")
open(root + "/mnt/" + os.environ["ME"], "w").close()
print(os.environ["CORTEX_PORT"], os.environ["URL"], os.path.exists(root + "/cortex/client/cli.yaml"), os.getcwd())
import time; time.sleep(600)
"""
APIS = f"""
- name: text
  kind: AsyncAPI
  pod:
    port: 9000
    max_concurrency: 7
    containers:
      - name: api
        image: i
        command: [{json.dumps(sys.executable)}, -uc, {json.dumps(PRINTS)}]
        env: {{ME: api, URL: "http://localhost:$(CORTEX_PORT)"}}
        readiness_probe: {{tcp_socket: {{port: 9000}}}}
      - name: helper
        image: i
        command: [{json.dumps(sys.executable)}, -uc, {json.dumps(PRINTS)}]
        env: {{ME: helper, URL: x}}
"""
PROBES = "exec: {command: [ls]}"


class Lines:
    def __init__(self) -> None:
        self.all: list[tuple[str, str]] = []
        self._more = asyncio.Event()

    def __call__(self, name: str, line: str) -> None:
        self.all.append((name, line))
        self._more.set()

    async def of(self, name: str) -> str:
        async with asyncio.timeout(60):
            while not (found := [line for one, line in self.all if one == name]):
                self._more.clear()
                await self._more.wait()
        return found[0]


def make(tmp_path: Path, lines: Lines, *, sees_root: bool, kind: str = "AsyncAPI") -> Pod:
    text = APIS if kind == "AsyncAPI" else APIS.replace("AsyncAPI", kind).replace("tcp_socket: {port: 9000}", PROBES)
    api = parse_apis(text.encode(), "cortex.yaml").get("text")
    addresses = Addresses(aws=4001, gateway=4002, admin=4003, gateway_admin=4005, ui=4006, user=4004)
    specs = ProcessSpecs(addresses, os.environ, tmp_path, lines)
    assert isinstance(api, AsyncApi | RealtimeApi)
    sidecar = (
        async_sidecar(specs, api, "http://127.0.0.1:4001/0/q.fifo", "0.42.1")
        if isinstance(api, AsyncApi)
        else realtime_sidecar(specs, api, ("127.0.0.1", 4005))
    )
    place = PodPlace(inherited=os.environ, folder=tmp_path, version="0.42.1", sees_root=sees_root)
    pod_folder = tmp_path / "pod"
    return Pod(api, sidecar, specs, place=place, pod_folder=pod_folder, on_end=partial(lines, "end"))


@pytest.mark.parametrize("wants_root", [True, False])
async def test_containers_find_what_the_contract_says(tmp_path: Path, *, wants_root: bool) -> None:
    sees_root = wants_root and await can_see_root(tmp_path)
    lines = Lines()
    pod = make(tmp_path, lines, sees_root=sees_root)
    pod.start()
    try:
        port, url, has_cli, folder = (await lines.of("text api")).split()
        assert url == f"http://localhost:{port}"
        assert (has_cli, folder) == ("True", str(tmp_path))
        assert (await lines.of("text helper")).split()[0] == port
        assert {path.name for path in (tmp_path / "pod/mnt").iterdir()} == {"api", "helper"}
        probes = json.loads((tmp_path / "pod/cortex/spec/probes.json").read_text())
        assert probes["api"]["tcpSocket"] == {"port": int(port)}
        cli = json.loads((tmp_path / "pod/cortex/client/cli.yaml").read_text())
        assert cli["environments"][0]["operator_endpoint"] == "http://127.0.0.1:4002"
        assert pod.health_url.startswith("http://127.0.0.1:")
    finally:
        stop_now = asyncio.Event()
        stop_now.set()
        await pod.stop(stop_now)
    assert [line for name, line in lines.all if name == "end"] == []


def test_the_sidecar_has_the_settings_of_the_api(tmp_path: Path) -> None:
    pod = make(tmp_path, Lines(), sees_root=False)
    env = pod.sidecar_spec.environment
    assert (env["DEQUEUER_API_NAME"], env["DEQUEUER_WORKERS"]) == ("text", "7")
    assert env["DEQUEUER_QUEUE_URL"] == "http://127.0.0.1:4001/0/q.fifo"
    assert env["DEQUEUER_PROBES_PATH"] == str(tmp_path / "pod/cortex/spec/probes.json")
    assert env["DEQUEUER_ADMIN_HOST"] == "127.0.0.1"


def test_the_proxy_has_the_settings_of_the_api(tmp_path: Path) -> None:
    pod = make(tmp_path, Lines(), sees_root=False, kind="RealtimeAPI")
    env = pod.sidecar_spec.environment
    assert pod.sidecar_spec.command[-1] == "proxy"
    assert (env["DEQUEUER_API_NAME"], env["DEQUEUER_API_KIND"]) == ("text", "realtime")
    assert (env["DEQUEUER_MAX_CONCURRENCY"], env["DEQUEUER_MAX_QUEUE_LENGTH"]) == ("7", "100")
    assert (env["DEQUEUER_PROXY_HOST"], env["DEQUEUER_PROXY_PORT"]) == ("127.0.0.1", "4005")
    assert pod.health_url == f"http://127.0.0.1:{env['DEQUEUER_ADMIN_PORT']}/healthz"


def test_names_of_processes_say_what_they_are() -> None:
    assert is_container_name("text api")
    assert is_sidecar_name("text dequeuer")
    for name in ("gateway", "controller", "ministack"):
        assert not is_container_name(name)
        assert not is_sidecar_name(name)
    assert not is_sidecar_name("text api")
