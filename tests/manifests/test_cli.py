"""The command: what it prints, and its exit statuses."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dequeuer import cli
from tests.manifests.converting import QUEUES, api_text

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["manifests", *arguments])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "cortex.yaml"
    path.write_text(api_text("AsyncAPI", more=", autoscaling: {init_replicas: 3}"), encoding="utf-8")
    return str(path)


@pytest.fixture
def cluster(tmp_path: Path) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text("cluster_uid: u\nbucket: b\nregion: eu-west-1\n", encoding="utf-8")
    return str(path)


def test_values_go_to_standard_output_and_notes_to_both(run: Run, file: str, cluster: str) -> None:
    queue = f"sum={QUEUES['sum']}"
    status, out, err = run(file, "--cluster-config", cluster, "--queues", queue)
    assert status == 0
    assert yaml.safe_load(out)["apis"]["sum"]["queueUrl"] == QUEUES["sum"]
    comments = [line for line in out.splitlines() if line.startswith("# - ")]
    assert len(comments) == 4
    assert comments[0].startswith("# - image.repository and image.tag: are needed")
    assert comments[1].startswith("# - gateway.serviceAccount.annotations, and serviceAccount.annotations of each")
    assert "cortex.yaml:1:110: apis[0].autoscaling.init_replicas (API sum): has no counterpart" in comments[3]
    assert err.splitlines() == [f"dequeuer manifests: {line[4:]}" for line in comments]


def test_faults_of_the_file_are_listed_with_status_2(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cortex.yaml"
    path.write_text(api_text("AsyncAPI", pod=", port: 8888") + api_text("AsyncAPI"), encoding="utf-8")
    status, out, err = run(str(path))
    assert (status, out) == (2, "")
    assert err.startswith("dequeuer manifests: 2 faults\n")
    assert "cortex.yaml:1:" in err
    assert "apis[0].pod.port (API sum)" in err


def test_a_splitter_without_its_apis_in_the_file_is_a_fault(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cortex.yaml"
    path.write_text("- {name: s, kind: TrafficSplitter, apis: [{name: a, weight: 100}]}\n", encoding="utf-8")
    status, _, err = run(str(path))
    assert status == 2
    assert "apis[0].apis[0].name" in err


@pytest.mark.parametrize("flag", [None, "--cluster-config"])
def test_a_missing_file_is_status_2(run: Run, file: str, tmp_path: Path, flag: str | None) -> None:
    missing = str(tmp_path / "none.yaml")
    status, out, err = run(missing) if flag is None else run(file, flag, missing)
    assert (status, out) == (2, "")
    assert "none.yaml: cannot be read" in err


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a", "--queues", "x"], ["a", "--queues", "x=ftp://q"]])
def test_a_wrong_command_line_is_status_2(arguments: list[str], run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert "usage: dequeuer manifests" in capsys.readouterr().err


def test_plain_without_a_chart_says_how_to_name_one(run: Run, file: str, tmp_path: Path) -> None:
    status, out, err = run(file, "--plain", "--chart", str(tmp_path))
    assert (status, out) == (1, "")
    assert "is no chart: it has no Chart.yaml; name the folder deploy/chart of a clone with --chart" in err


def test_a_reader_that_has_gone_is_no_traceback(file: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "dequeuer", "manifests", file]
    found = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    os.close(writing)
    assert found.returncode == 141
    assert "Traceback" not in found.stderr
