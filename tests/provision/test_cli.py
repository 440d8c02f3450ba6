from __future__ import annotations

import json
import os

import pytest

from dequeuer import cli
from dequeuer.provision.steps import Step
from tests.provision.stage import ASYNC, Recorded


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    environ = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    monkeypatch.setattr(os, "environ", environ)
    return environ


@pytest.mark.parametrize("form", ["terraform", "cloudformation"])
def test_text_is_printed_without_asking_aws(capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert cli.main(["provision", *ASYNC, "--format", form]) == 0
    assert "work.fifo" in json.dumps(json.loads(capsys.readouterr().out))


def test_policies_are_printed_without_asking_aws(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["provision", "policies", *ASYNC]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"async", "gateway", "provision"}
    assert cli.main(["provision", "policies", "async", *ASYNC]) == 0
    assert json.loads(capsys.readouterr().out)["Version"] == "2012-10-17"


def test_faults_are_listed_at_once_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["provision", *ASYNC, "--max-receives", "1", "--colour", "red"]) == 2
    error = capsys.readouterr().err
    assert "3 faults" in error
    for name in ("--colour", "--max-receives", "AWS_REGION"):
        assert name in error


def test_a_command_that_there_is_not_is_named_with_the_one_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["provision", "policis", *ASYNC]) == 2
    assert 'provision "policis": no such command; allowed: policies, or flags' in capsys.readouterr().err


def test_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["provision", "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Creates what an API needs of AWS")
    assert "--dry-run, DEQUEUER_PROVISION_DRY_RUN" in out
    assert cli.main(["provision", "policies", "--help"]) == 0


def test_the_plan_is_printed_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    plan = Recorded()
    plan.add(Step(kind="create", resource="queue q", detail="standard"))
    plan.add(Step(kind="leave", resource="bucket b"))
    assert capsys.readouterr().out == "create   queue q: standard\nleave    bucket b\n"
