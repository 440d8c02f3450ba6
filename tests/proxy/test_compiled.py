"""Which modules are compiled: those that pyproject.toml lists, where they are to be."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HOOK = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
SUFFIX = ".so" if os.environ.get("COMPILED") == "true" else ".py"


@pytest.mark.parametrize("module", HOOK["modules"])
def test_a_module_that_is_listed_is_compiled_where_it_is_to_be(module: str) -> None:
    found = importlib.util.find_spec(module.removesuffix(".py").replace("/", "."))
    assert found is not None
    assert found.origin is not None
    assert found.origin.endswith(SUFFIX)


def test_the_programs_that_tests_start_import_the_same_modules(tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-c", "import dequeuer.proxy.exchange as module; print(module.__file__)"],
        env={"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert printed.stdout.strip().endswith(SUFFIX)
