from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dequeuer import __main__, __version__, cli
from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import EnqueuerSettings, GatewaySettings, SidecarSettings
from tests.settings.environments import ASYNC, GATEWAY


class Calls:
    """Replaces the modules of the commands, and records their calls."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.status = 0
        self.error: Exception | None = None

    def _answer(self, name: str, given: Any) -> int:
        self.seen.append((name, given))
        if self.error is not None:
            raise self.error
        return self.status

    def run_sidecar(self, settings: SidecarSettings) -> int:
        return self._answer("sidecar", settings)

    def run_gateway(self, settings: GatewaySettings) -> int:
        return self._answer("gateway", settings)

    def run_enqueuer(self, settings: EnqueuerSettings) -> int:
        return self._answer("enqueuer", settings)

    def dev_main(self, argv: Sequence[str], *, check_apis: Callable[[str], object]) -> int:
        assert callable(check_apis)
        return self._answer("dev", argv)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    for name, function, answer in (
        ("dequeuer.sidecar.app", "run_sidecar", calls.run_sidecar),
        ("dequeuer.gateway.app", "run_gateway", calls.run_gateway),
        ("dequeuer.enqueuer.app", "run_enqueuer", calls.run_enqueuer),
        ("dequeuer.dev.cli", "main", calls.dev_main),
    ):
        module = ModuleType(name)
        setattr(module, function, answer)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "dequeuer.dev", ModuleType("dequeuer.dev"))
    return calls


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    environ: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environ)
    return environ


def test_without_a_command_it_is_the_sidecar(calls: Calls, environ: dict[str, str]) -> None:
    environ |= ASYNC
    calls.status = 1
    assert cli.main(["--workers", "3"]) == 1
    ((name, settings),) = calls.seen
    assert name == "sidecar"
    assert isinstance(settings, SidecarSettings)
    assert settings.workers == 3


@pytest.mark.parametrize("has_tcp_probe", ["true", "false"])
def test_with_the_arguments_of_cortex_the_image_is_its_proxy(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], has_tcp_probe: str
) -> None:
    # As Cortex 0.42 starts the image of `image_proxy`: no command, and no variable that says the kind.
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text("cluster_uid: uid\nbucket: my-bucket\nregion: eu-west-1\n", encoding="utf-8")
    argv = ["--cluster-config", str(cluster), "--port", "8888", "--admin-port", "15000", "--user-port", "8080"]
    argv += ["--max-concurrency", "0", "--max-queue-length", "100", "--has-tcp-probe", has_tcp_probe]
    assert cli.main(argv) == 2
    error = capsys.readouterr().err
    assert "1 fault in its configuration" in error
    assert '--max-concurrency (or DEQUEUER_MAX_CONCURRENCY): "0" is not allowed' in error
    environ["DEQUEUER_API_KIND"] = "async"
    assert cli.main(argv) == 2
    assert "--max-queue-length: not a flag of this command" in capsys.readouterr().err


def test_the_gateway_is_started(calls: Calls, environ: dict[str, str]) -> None:
    environ |= GATEWAY
    assert cli.main(["gateway", "-port=1"]) == 0
    ((name, settings),) = calls.seen
    assert name == "gateway"
    assert isinstance(settings, GatewaySettings)
    assert settings.port == 1


def test_the_enqueuer_is_started_with_the_flags_and_the_environment_of_cortex(
    calls: Calls, environ: dict[str, str]
) -> None:
    environ |= {
        "CORTEX_CLUSTER_UID": "uid",
        "CORTEX_BUCKET": "bucket",
        "CORTEX_REGION": "eu-west-1",
        "CORTEX_VERSION": "0.42.0",
    }
    calls.status = 143
    queue = "https://sqs.us-west-2.amazonaws.com/123456789012/q.fifo"
    assert cli.main(["enqueue", "-queue", queue, "-apiName", "api", "-jobID=67f0", "-region", "eu-west-2"]) == 143
    ((name, settings),) = calls.seen
    assert name == "enqueuer"
    assert isinstance(settings, EnqueuerSettings)
    assert (settings.cluster_uid, settings.bucket, settings.region) == ("uid", "bucket", "eu-west-2")
    assert (settings.queue_url, settings.api_name, settings.job_id) == (queue, "api", "67f0")
    assert settings.cortex_version == "0.42.0"


def test_dev_reads_its_own_line(calls: Calls, environ: dict[str, str]) -> None:
    calls.status = 3
    assert cli.main(["dev", "--once", "--help", "--", "uvicorn", "--port", "1"]) == 3
    assert calls.seen == [("dev", ["--once", "--help", "--", "uvicorn", "--port", "1"])]


def test_dev_is_refused_where_it_is_not_installed(tmp_path: Path) -> None:
    package = Path(cli.__file__).parent
    shutil.copytree(package, tmp_path / "dequeuer", ignore=shutil.ignore_patterns("dev", "__pycache__"))
    refused = subprocess.run(
        [sys.executable, "-m", "dequeuer", "dev", "--once"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("dequeuer dev: not part of this installation")
    assert len(refused.stderr.splitlines()) == 1


def test_a_missing_library_of_dev_is_not_called_a_missing_dev(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "dequeuer.dev.cli", raising=False)
    monkeypatch.setitem(sys.modules, "dequeuer.dev.display", None)
    with pytest.raises(ModuleNotFoundError, match="display"):
        cli.main(["dev", "--once"])


def test_the_line_of_the_process_is_the_default(
    calls: Calls, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["dequeuer", "dev", "x"])
    assert cli.main() == 0
    assert calls.seen == [("dev", ["x"])]


@pytest.mark.parametrize("argument", ["-h", "--help", "-help"])
@pytest.mark.parametrize("command", [[], ["gateway"], ["enqueue"]])
def test_help_is_printed_even_with_other_faults(
    calls: Calls,
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    argument: str,
) -> None:
    environ["DEQUEUER_BOGUS"] = "1"
    assert cli.main([*command, "--bogus", argument]) == 0
    output = capsys.readouterr()
    assert "DEQUEUER_BUCKET" in output.out
    assert ("--port" in output.out) == (command == ["gateway"])
    assert output.err == ""
    assert calls.seen == []


def test_the_version_is_printed(calls: Calls, environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"dequeuer {__version__}\n"
    assert calls.seen == []


def test_bad_settings_are_reported_and_nothing_is_started(
    calls: Calls, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environ |= ASYNC | {"DEQUEUER_WORKERS": "0"}
    assert cli.main(["--bogus"]) == 2
    output = capsys.readouterr()
    heading, *faults, hint = output.err.splitlines()
    assert heading == "dequeuer cannot start: 2 faults in its configuration"
    assert [fault.split(":")[0].split(" (")[0].strip() for fault in faults] == ["--bogus", "DEQUEUER_WORKERS"]
    assert "dequeuer --help" in hint
    assert output.out == ""
    assert calls.seen == []


def test_faults_that_a_command_finds_itself_are_reported_too(
    calls: Calls, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environ |= ASYNC
    calls.error = ConfigurationError(["probes.json: is no JSON"])
    assert cli.main([]) == 2
    assert capsys.readouterr().err.splitlines()[:2] == [
        "dequeuer cannot start: 1 fault in its configuration",
        "  probes.json: is no JSON",
    ]


def test_a_mistyped_command_is_a_fault(
    calls: Calls, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environ |= ASYNC
    assert cli.main(["gatway", "--workers", "3"]) == 2
    expected = 'dequeuer: "gatway" is no command (did you mean gateway?); `dequeuer --help` lists them\n'
    assert capsys.readouterr().err == expected
    assert cli.main(["sumbit", "text"]) == 2
    assert "(did you mean submit?)" in capsys.readouterr().err
    assert cli.main(["--workers", "3", "gateway"]) == 2
    assert '"gateway": not expected here; a command' in capsys.readouterr().err
    assert calls.seen == []


def test_the_help_names_every_command(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    usage = capsys.readouterr().out.partition("Settings")[0]
    commands = {*cli._COMMANDS, *__main__._STATUSES}
    assert [name for name in sorted(commands) if not re.search(rf"\b{name}\b", usage)] == []


@pytest.mark.parametrize("command", ["gateway", "ui", "provision"])
def test_what_is_wrong_with_a_command_leads_to_its_own_help(
    calls: Calls, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert cli.main([command, "--bogus", "1"]) == 2
    assert f"`dequeuer {command} --help` lists every setting" in capsys.readouterr().err


def test_a_token_is_made(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["token"]) == 0
    assert "\ndq_" in capsys.readouterr().out
    assert cli.main(["token", "--help"]) == 0
    assert "dequeuer token" in capsys.readouterr().out
    assert cli.main(["token", "extra"]) == 2
    assert "dequeuer token" in capsys.readouterr().err


def test_faults_of_the_tokens_are_reported_and_nothing_is_started(
    calls: Calls, environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text("- {name: web}\n")
    environ |= {**GATEWAY, "DEQUEUER_TOKENS": str(path)}
    assert cli.main(["gateway"]) == 2
    assert capsys.readouterr().err.count("DEQUEUER_TOKENS: ") == 3


def _python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DEQUEUER", "CORTEX", "AWS"))}
    return subprocess.run(
        [sys.executable, *arguments], env=clean | environ, capture_output=True, text=True, check=False
    )


def test_the_process_exits_with_the_status() -> None:
    result = _python("-m", "dequeuer", "--version")
    assert (result.returncode, result.stdout) == (0, f"dequeuer {__version__}\n")
    result = _python("-m", "dequeuer", DEQUEUER_WORKERS="\udcff", PYTHONIOENCODING="ascii")
    assert result.returncode == 2
    assert "DEQUEUER_WORKERS" in result.stderr
    assert "Traceback" not in result.stderr


def test_bad_settings_cost_no_library() -> None:
    heavy = "{'argparse', 'asyncio', 'aiohttp', 'aiobotocore', 'botocore', 'structlog', 'yaml', 'difflib', 'pydantic', 'uvloop'}"
    code = f"import sys, dequeuer.cli; dequeuer.cli.main([]); print(sorted({heavy} & set(sys.modules)))"
    assert _python("-c", code).stdout == "[]\n"


def test_a_gateway_without_a_file_of_apis_does_not_load_its_models() -> None:
    code = "import sys, dequeuer.gateway.app; print('pydantic' in sys.modules, 'yaml' in sys.modules)"
    assert _python("-c", code).stdout == "False False\n"


def test_faults_of_the_apis_are_reported_together_with_those_of_the_settings(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apis = tmp_path / "cortex.yaml"
    apis.write_text("- name: text\n  kind: AsyncAPI\n  pod: {port: 0, containers: []}\n", encoding="utf-8")
    environ |= {"DEQUEUER_APIS": str(apis), "DEQUEUER_CLUSTER_UID": "c"}
    assert cli.main(["gateway"]) == 2
    errors = capsys.readouterr().err
    assert "dequeuer cannot start: 3 faults in its configuration" in errors
    assert "\n  DEQUEUER_BUCKET" in errors
    assert f"\n  DEQUEUER_APIS: {apis}:3:15: apis[0].pod.port (API text): 0; allowed: a port" in errors
    assert f"\n  DEQUEUER_APIS: {apis}:3:30: apis[0].pod.containers (API text): an empty list" in errors


def test_an_address_of_an_api_that_is_not_in_the_file_is_reported_with_the_other_faults(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apis = tmp_path / "cortex.yaml"
    apis.write_text(
        "- {name: text, kind: RealtimeAPI, pod: {port: 80, containers: [{name: a, image: a}]}}\n", encoding="utf-8"
    )
    environ |= {"DEQUEUER_APIS": str(apis), "DEQUEUER_CLUSTER_UID": "c", "DEQUEUER_REALTIME_URLS": "txt=http://a"}
    assert cli.main(["gateway"]) == 2
    errors = capsys.readouterr().err
    assert "dequeuer cannot start: 2 faults in its configuration" in errors
    assert "\n  DEQUEUER_BUCKET" in errors
    assert f"\n  DEQUEUER_APIS: {apis}: API txt is not in the file (did you mean text?)" in errors


def test_faults_of_the_probes_are_reported_together_with_those_of_the_settings(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    probes = tmp_path / "probes.json"
    probes.write_text('{"web": {"exec": {"command": ["true"]}}}', encoding="utf-8")
    environ |= ASYNC | {"DEQUEUER_PROBES_PATH": str(probes), "DEQUEUER_USER_PORT": "http", "DEQUEUER_WORKRES": "1"}
    assert cli.main([]) == 2
    errors = capsys.readouterr().err
    assert "3 faults" in errors
    assert "DEQUEUER_PROBES_PATH (or --probes-path): " in errors
    for word in ("DEQUEUER_USER_PORT", "DEQUEUER_WORKRES", "exec"):
        assert word in errors


_PROVISION = (
    *("provision", "--format", "terraform", "--api-kind", "queue", "--api-name", "up", "--queue", "up"),
    *("--dead-letters", "none"),
)
_CORTEX_YAML = """\
- name: sum
  kind: BatchAPI
  pod:
    containers:
      - {name: api, image: sum, command: [sum]}
"""


@pytest.mark.parametrize(
    "command",
    [("token",), ("check", "proxy"), ("manifests", "cortex.yaml"), _PROVISION],
    ids=lambda command: command[0],
)
def test_an_output_on_a_full_disk_is_no_success_and_no_bug(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "cortex.yaml").write_text(_CORTEX_YAML, encoding="utf-8")
    of_proxy = {"DEQUEUER_MAX_CONCURRENCY": "1", "DEQUEUER_MAX_QUEUE_LENGTH": "1"} if command[0] == "check" else {}
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        run = subprocess.run(
            [sys.executable, "-m", "dequeuer", *command],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(cli.__file__).parents[1]), **of_proxy},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "Traceback" not in run.stderr
    assert run.returncode == 1
    assert run.stderr.endswith("dequeuer: the output cannot be written: No space left on device\n")
