"""`dequeuer check` as a process: exit statuses, the table, the JSON document."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from dequeuer.check.options import HELP
from tests.integration.check.setup import SetUp
from tests.integration.servers import free_port
from tests.integration.sidecar import ROOT

Run = subprocess.CompletedProcess[str]


def check(setup: SetUp, *arguments: str) -> Run:
    return subprocess.run(
        [sys.executable, "-m", "dequeuer", "check", *arguments],
        env=setup.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def document(run: Run) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(run.stdout)
    return loaded


def test_a_healthy_set_up_ends_with_status_0_and_a_document_with_stable_names(setup: SetUp) -> None:
    run = check(setup, "--json", "--pod-grace", "60")
    assert (run.returncode, run.stderr) == (0, "")
    found = document(run)
    assert sorted(found) == ["checks", "program", "summary", "version"]
    assert found["program"] == "sidecar"
    assert sorted(found["summary"]) == ["fault", "not_known", "ok", "warning"]
    assert sum(found["summary"].values()) == len(found["checks"])
    assert {tuple(sorted(one)) for one in found["checks"]} == {("action", "found", "id", "state", "subject")}
    assert found["summary"]["fault"] == found["summary"]["warning"] == 0


def test_a_fault_ends_with_status_1_and_the_table_says_what_to_do(setup: SetUp) -> None:
    setup.front.denied.add("sqs:DeleteMessage")
    run = check(setup)
    assert (run.returncode, run.stderr) == (1, "")
    lines = run.stdout.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("FAULT")]
    assert "permission.sqs.delete_message" in lines[at]
    assert lines[at + 1].startswith("    -> allow sqs:DeleteMessage on arn:aws:sqs:")
    assert " 1 fault, " in lines[-1]


def test_with_the_clients_of_the_sdk_nothing_is_found_and_less_is_known(setup: SetUp) -> None:
    setup.environ["DEQUEUER_AWS_CLIENT"] = "sdk"
    run = check(setup, "--json", "--pod-grace", "60", "--write")
    states = {one["id"]: one["state"] for one in document(run)["checks"]}
    assert (run.returncode, {"warning", "fault"} & set(states.values())) == (0, set())
    assert states["queue.exists"] == states["permission.s3.put_object"] == "ok"
    assert states["bucket.encryption"] == states["identity.caller"] == "not_known"


def test_the_help_needs_no_settings(setup: SetUp) -> None:
    setup.environ = {"PATH": setup.environ["PATH"], "DEQUEUER_WORKERS": "0"}
    run = check(setup, "gateway", "--help")
    assert (run.returncode, run.stdout, run.stderr) == (0, HELP, "")


def test_bad_settings_end_with_status_2_and_all_their_faults(setup: SetUp) -> None:
    setup.environ |= {"DEQUEUER_WORKERS": "0", "DEQUEUER_MAX_ATEMPTS": "3"}
    run = check(setup, "--json", "--pod-grace=60")
    assert run.returncode == 2
    assert run.stdout == ""
    assert "DEQUEUER_WORKERS" in run.stderr
    assert "did you mean DEQUEUER_MAX_ATTEMPTS?" in run.stderr


def test_a_proxy_is_told_and_the_clients_of_the_sdk_are_used(setup: SetUp) -> None:
    setup.environ["HTTP_PROXY"] = f"http://user:secret@127.0.0.1:{free_port()}"
    run = check(setup, "--json")
    states = {one["id"]: one for one in document(run)["checks"]}
    assert states["network.proxy"]["state"] == "warning"
    assert states["network.dns"]["state"] == "not_known"
    assert states["queue.exists"]["state"] == "fault"
    assert "secret" not in run.stdout


@pytest.mark.parametrize("arguments", [[], ["proxy"]])
def test_of_a_realtime_api_the_proxy_is_checked(setup: SetUp, arguments: list[str]) -> None:
    setup.program("proxy")
    run = check(setup, *arguments, "--json", "--pod-grace", "60")
    assert run.returncode == 0
    assert document(run)["program"] == "proxy"
    assert {one["id"].partition(".")[0] for one in document(run)["checks"]} == {"container", "pod", "kubernetes"}


def test_a_running_sidecar_is_no_fault_of_its_own_port(setup: SetUp) -> None:
    sidecar = subprocess.Popen(
        [sys.executable, "-m", "dequeuer"],
        env=setup.environ | {"PYTHONPATH": str(ROOT), "DEQUEUER_POLL_WAIT": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert sidecar.stdout is not None
        # The admin server listens before this line.
        assert any('"event":"starting"' in line.replace(" ", "") for line in sidecar.stdout)
        [port] = [one for one in document(check(setup, "--json"))["checks"] if one["id"] == "pod.port"]
    finally:
        sidecar.kill()
        sidecar.communicate()
    assert (port["state"], port["found"]) == ("ok", "the program runs")
