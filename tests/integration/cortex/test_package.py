"""The Python package of Cortex, as the registry has it, with `dequeuer-cortex`, gateway and controller as processes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud
from tests.integration.gateway_process import Gateway
from tests.integration.jobs.controller import Controller
from tests.integration.sidecar import ROOT
from tests.integration.waiting import eventually

SHA256 = "f4340c83e843f417978d1aaadcddd766fcef2b71fb10118a43728a13da33bdb5"
"""Of the package: it is the unchanged one."""
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "docs" / "cortex-cli.md").read_text(), re.MULTILINE | re.DOTALL)
SET_UP, INSTALL = (text for language, text in BLOCKS[:2])
PROGRAM = next(text for language, text in BLOCKS if language == "python")
INSTALL_TIMEOUT_S = 300
REST = """
import cortex

assert cortex.new_client("other", client.env["operator_endpoint"]).env_name == "other"
assert [one["name"] for one in cortex.env_list()["environments"]] == ["local", "other"]
cortex.env_delete("other")
for call in (
    lambda: client.deploy({"name": "sum", "kind": "BatchAPI"}),
    lambda: client.refresh("sum"),
    lambda: client.delete("sum"),
    lambda: client.get_api("nope"),
):
    try:
        call()
    except cortex.exceptions.CortexBinaryException as error:
        print(str(error).strip())
try:
    cortex.client("nope")
except cortex.exceptions.NotFound as error:
    print(error)
"""


class Scripts:
    """Somebody with scripts for Cortex. `folder`: with an environment that has the package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DEQUEUER_", "CORTEX_"))},
            "PATH": f"{folder / 'env' / 'bin'}{os.pathsep}{folder}{os.pathsep}{os.environ['PATH']}",
            "PIP_CONSTRAINT": str(folder / "constraints.txt"),
            "CORTEX_CLI_PATH": str(folder / "dequeuer-cortex"),
            "CORTEX_TELEMETRY_DISABLE": "true",
            "CORTEX_CLI_CONFIG_DIR": str(folder / "config"),
        }
        self._environment.pop("PYTHONPATH", None)

    def run(self, *command: str, timeout_s: float = 60) -> str:
        """Run a command to its success; return what it prints."""
        ran = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def shell(self, text: str, timeout_s: float = 60) -> str:
        """Run the lines of a page."""
        return self.run("bash", "-euo", "pipefail", "-c", text, timeout_s=timeout_s)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Scripts:
    folder = tmp_path_factory.mktemp("cortex")
    program = folder / "dequeuer-cortex"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from dequeuer.__main__ import cortex\ncortex()\n"
    )
    program.chmod(0o755)
    pins = (ROOT / "constraints.txt").read_text()
    (folder / "constraints.txt").write_text(f"{pins}\nsentry-sdk==2.75.0\n")
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True, timeout=INSTALL_TIMEOUT_S)
    made = Scripts(folder)
    made.shell(INSTALL, INSTALL_TIMEOUT_S)
    [archive] = folder.glob("*.tar.gz")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256
    return made


def test_the_unchanged_package_lists_apis_and_gets_and_stops_a_job(
    scripts: Scripts, gateway: Gateway, cloud: Cloud, bucket: Bucket, apis: Path
) -> None:
    submission = {"workers": 1, "item_list": {"items": [1, 2], "batch_size": 1}}
    status, text = gateway.call("/batch/sum", json.dumps(submission).encode())
    job_id = json.loads(text)["job_id"]
    assert status == 200
    address = "http://127.0.0.1:8888"
    assert address in SET_UP
    own = f"http://127.0.0.1:{gateway.port}"
    assert scripts.shell(SET_UP.replace(address, own)) == "configured local environment\n"
    said = scripts.run("python", "-W", "ignore", "-c", PROGRAM + REST).splitlines()
    assert said[:3] == ["['sum', 'train']", "pending", f'{{"message":"stopped job {job_id}"}}']
    deployed, refreshed, deleted, unknown, no_environment = [line for line in said[3:] if line]
    assert deployed.startswith("error: this command deploys no APIs: ")
    assert refreshed == "error: this command replaces no pods: run `kubectl rollout restart deployment api-sum`"
    assert deleted.startswith("error: this command deletes no APIs: ")
    assert unknown == "error: nope is not deployed"
    assert no_environment.startswith("can't find environment nope")
    with Controller(cloud, bucket, apis):
        eventually(lambda: state(scripts, job_id) == "stopped", "the job to be stopped")


def state(scripts: Scripts, job_id: str) -> str:
    program = f"import cortex; print(cortex.client().get_job('sum', '{job_id}')['job_status']['status'])"
    return scripts.run("python", "-W", "ignore", "-c", program).strip()
