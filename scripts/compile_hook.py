"""A hook of the build: it compiles the modules that pyproject.toml lists with mypyc.

The build runs it with HATCH_BUILD_HOOK_ENABLE_CUSTOM=true; it needs a C compiler and the headers of Python. Without it
the wheel has the same modules as Python alone.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# mypyc reads the types: those of packages that the build does not install are taken for `object`, as they are at run
# time. What mypy has to say about this project it says elsewhere.
MYPY_OPTIONS = ("--python-version=3.11", "--ignore-missing-imports", "--follow-imports=silent")
SETUP = """\
from setuptools import setup
from mypyc.build import mypycify

setup(name="compiled", ext_modules=mypycify({arguments!r}, opt_level="3", debug_level="0", group_name="dequeuer"))
"""


class CompileHook(BuildHookInterface[Any]):
    """Adds the extension modules to the wheel; they are imported instead of the modules of the same names."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - a protocol
        """Compile."""
        # In a copy: beside its source an extension module would be imported although the source has changed.
        self._folder = TemporaryDirectory(prefix="dequeuer-compiled-")
        copy = Path(self._folder.name)
        shutil.copytree(Path(self.root, "dequeuer"), copy / "dequeuer", ignore=shutil.ignore_patterns("__pycache__"))
        compile_modules(copy, self.config["modules"])
        made = (*copy.glob("*.so"), *(copy / "dequeuer").rglob("*.so"))
        build_data["force_include"].update({str(path): str(path.relative_to(copy)) for path in made})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - a protocol
        """Delete the copy: the wheel is written."""
        self._folder.cleanup()


def compile_modules(folder: Path, modules: list[str]) -> None:
    """Compile modules in `folder`; each extension module is written beside its source.

    Raises:
        RuntimeError: They cannot be compiled; it has what the compiler says.
    """
    (folder / "setup.py").write_text(SETUP.format(arguments=[*MYPY_OPTIONS, *modules]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"mypyc cannot compile the modules of this wheel:\n{done.stdout[-4000:]}"
        raise RuntimeError(message)
