from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dequeuer.pods.programs import own_environment, program
from tests.pods.test_environment import INHERITED


def test_programs_of_this_project_are_found_from_any_folder() -> None:
    found = own_environment({**INHERITED, "PYTHONPATH": "/other"}, {"DEQUEUER_BUCKET": "c"})
    assert found["DEQUEUER_BUCKET"] == "c"
    first, *rest = found["PYTHONPATH"].split(os.pathsep)
    assert (Path(first) / "dequeuer" / "__main__.py").exists() or first == "/other"
    assert "/other" in [first, *rest]


def test_the_working_directory_is_not_searched_for_modules(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('not this one')")
    environment = own_environment({"PATH": os.environ["PATH"]}, {})
    done = subprocess.run(
        program("--version"), cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("dequeuer ")
    assert program()[0] == sys.executable


def test_the_models_of_cortex_yaml_are_not_imported() -> None:
    code = "import sys, dequeuer.dev.request_stack; print([name for name in sys.modules if 'pydantic' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
