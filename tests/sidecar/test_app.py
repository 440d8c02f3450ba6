"""The composition root: how the process ends. The integration tests show what it does."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dequeuer.sidecar.app as app_module
from dequeuer.core.errors import ConfigurationError, FatalError
from dequeuer.http.small_server import SHUTDOWN_TIMEOUT_S
from dequeuer.process.running import LOOP_CLOSE_TIMEOUT_S
from dequeuer.settings import load_sidecar
from dequeuer.sidecar.app import run_sidecar
from dequeuer.sidecar.batch_counts import MIN_LAST_WRITE_S
from dequeuer.sinks.s3.parts import ABORTS_CLOSE_TIMEOUT_S
from dequeuer.sources.sqs.source import CLOSE_TIMEOUT_S
from dequeuer.worker.worker import RELEASE_TIMEOUT_S


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "DEQUEUER_API_KIND": "batch",
        "DEQUEUER_API_NAME": "api",
        "DEQUEUER_JOB_ID": "job-1",
        "DEQUEUER_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/q",
        "DEQUEUER_PROBES_PATH": str(tmp_path / "probes.json"),
        "DEQUEUER_LOG_FORMAT": "json",
        **more,
    }


def end_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    class Ending:
        def __init__(self, *_: object) -> None: ...

        async def run(self, _probes: object) -> int:
            raise error

    monkeypatch.setattr(app_module, "_Sidecar", Ending)


def lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


def test_a_fatal_error_exits_1_with_its_reason_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end_with(monkeypatch, BaseExceptionGroup("g", [ExceptionGroup("h", [FatalError("no such queue")])]))
    assert run_sidecar(load_sidecar([], environment(tmp_path))) == 1
    [line] = lines(capsys)
    assert (line["event"], line["error"]) == ("cannot_go_on", "no such queue")


@pytest.mark.parametrize("error", [KeyError("x"), ExceptionGroup("g", [FatalError("a"), KeyError("x")])])
def test_a_bug_exits_1_and_leaves_its_traceback_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    end_with(monkeypatch, error)
    assert run_sidecar(load_sidecar([], environment(tmp_path))) == 1
    [line] = lines(capsys)
    assert line["event"] == "bug_ended_the_process"
    assert "KeyError" in json.dumps(line)


def test_configuration_that_turns_out_wrong_later_is_still_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_with(monkeypatch, ExceptionGroup("g", [ConfigurationError(["AWS_CA_BUNDLE: cannot be read"])]))
    with pytest.raises(ConfigurationError, match="AWS_CA_BUNDLE"):
        run_sidecar(load_sidecar([], environment(tmp_path)))


def test_probes_are_read_before_any_call_to_aws(tmp_path: Path) -> None:
    (tmp_path / "probes.json").write_text('{"api": {"exec": {"command": ["true"]}}}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="exec"):
        run_sidecar(load_sidecar([], environment(tmp_path)))


def test_a_port_in_use_exits_1_and_names_the_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = environment(
            tmp_path, DEQUEUER_ADMIN_HOST="127.0.0.1", DEQUEUER_ADMIN_PORT=str(taken.getsockname()[1])
        )
        assert run_sidecar(load_sidecar([], settings)) == 1
    assert any("DEQUEUER_ADMIN_PORT" in str(line.get("error")) for line in lines(capsys))


def test_the_drain_of_the_admin_port_is_for_callers_inside_of_the_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    class Admin:
        def __init__(self, *_: object, actions: dict[str, object], only_local: object, **__: object) -> None:
            given.extend([sorted(actions), only_local])

        async def start(self) -> None:
            raise FatalError("the test needs no more")

    monkeypatch.setattr(app_module, "AdminServer", Admin)
    assert run_sidecar(load_sidecar([], environment(tmp_path))) == 1
    assert given == [["/drain", "/wait-for-drain"], ("/drain",)]


def test_a_batch_job_that_stores_nothing_does_not_load_what_stores() -> None:
    code = "import sys, dequeuer.sidecar.app, dequeuer.handlers.batch_api.handler; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    modules = set(loaded.stdout.split())
    assert "dequeuer.handlers.batch_api.completion" in modules
    stores = {"dequeuer.jobs.layout", "dequeuer.jobs.worker_counts", "dequeuer.sidecar.batch_counts"}
    stores |= {
        "dequeuer.formats.json_spans",
        "dequeuer.handlers.batch_api.batch",
        "dequeuer.handlers.batch_api.results",
    }
    assert not modules & stores


def test_all_that_follows_the_grace_period_takes_five_seconds_at_most() -> None:
    after_s = RELEASE_TIMEOUT_S + MIN_LAST_WRITE_S + CLOSE_TIMEOUT_S + ABORTS_CLOSE_TIMEOUT_S
    after_s += SHUTDOWN_TIMEOUT_S + LOOP_CLOSE_TIMEOUT_S
    # `docs/operations.md` tells users to set terminationGracePeriodSeconds to DEQUEUER_SHUTDOWN_GRACE + 5 s.
    assert after_s <= 5 - 0.25
