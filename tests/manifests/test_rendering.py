"""Helm as a program: a script in its place. tests/manifests/test_chart.py renders with Helm's own library."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from dequeuer.manifests.rendering import RenderError, render


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    (tmp_path / "Chart.yaml").write_text("name: x\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)


def helm(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Put a program `helm` on PATH."""
    folder.mkdir()
    script = folder / "helm"
    script.write_text(f"#!{sys.executable}\nimport json, sys\n{code}\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("without_library")
def test_the_program_gets_the_values_and_its_output_is_returned(
    chart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helm(tmp_path / "bin", monkeypatch, "print(json.dumps([sys.argv[1:], json.load(sys.stdin)]))")
    arguments, values = json.loads(render({"a": "{{ x }}"}, chart, "rel", "ns"))
    assert values == {"a": "{{ x }}"}
    assert arguments == ["template", "rel", str(chart), "--namespace", "ns", "--values", "-"]


@pytest.mark.usefixtures("without_library")
def test_what_the_program_refuses_is_said(chart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helm(tmp_path / "bin", monkeypatch, "sys.exit('apis.sum.queueUrl: is needed')")
    with pytest.raises(RenderError, match=r"Helm refuses the values:\napis\.sum\.queueUrl: is needed"):
        render({}, chart, "rel", "ns")


@pytest.mark.usefixtures("without_library")
def test_a_program_that_cannot_be_run_is_named(chart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helm(tmp_path / "bin", monkeypatch, "")
    (tmp_path / "bin" / "helm").write_text("#!/nowhere/interpreter\n", encoding="utf-8")
    with pytest.raises(RenderError, match="helm cannot be run"):
        render({}, chart, "rel", "ns")


@pytest.mark.usefixtures("without_library")
def test_without_helm_the_error_says_what_to_install(
    chart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RenderError, match=r"dequeuer\[manifests\].*helm on PATH"):
        render({}, chart, "rel", "ns")
