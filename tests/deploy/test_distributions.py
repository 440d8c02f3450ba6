"""The wheel and the source distribution: what is in them, and that each build of them is the same."""

import email
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from dequeuer import __version__

ROOT = Path(__file__).parents[2]
NOT_IN_THE_PROJECT = shutil.ignore_patterns(
    *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()), ".git"
)
BUILD = """
import hatchling.build
print(hatchling.build.build_wheel("dist"))
print(hatchling.build.build_sdist("dist"))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    project: Path
    wheel: Path
    source: Path


def build(folder: Path, *, mtime_s: int) -> Built:
    """Build both from a copy of the project, whose files have another time in each copy."""
    project = folder / "project"
    shutil.copytree(ROOT, project, ignore=NOT_IN_THE_PROJECT)
    for path in project.rglob("*"):
        os.utime(path, (mtime_s, mtime_s))
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "HATCH_BUILD_HOOK_ENABLE_CUSTOM": "false"}
    (project / "dist").mkdir()
    command = [sys.executable, "-c", BUILD]
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    wheel, source = done.stdout.split()
    return Built(project=project, wheel=project / "dist" / wheel, source=project / "dist" / source)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("first"), mtime_s=1_600_000_000)


def in_wheel(built: Built) -> set[str]:
    with zipfile.ZipFile(built.wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_the_package_and_its_metadata_alone(built: Built) -> None:
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "dequeuer").rglob("*") if path.is_file()}
    package = {name for name in package if "__pycache__" not in name}
    info = f"dequeuer-{__version__}.dist-info"
    metadata = {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
    assert in_wheel(built) == package | metadata


def test_the_wheel_says_that_it_has_types(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f"dequeuer-{__version__}.dist-info/METADATA"))
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert "dequeuer/py.typed" in in_wheel(built)
    assert metadata["License-Expression"] == "Apache-2.0"


def test_the_wheel_has_no_path_and_no_host_of_the_machine_that_built_it(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        for name in archive.namelist():
            assert str(built.project).encode() not in archive.read(name), name


def test_the_source_distribution_has_the_whole_project(built: Built) -> None:
    """Tests read documents, manifests, workflows and the files of the image: they run from it, too."""
    with tarfile.open(built.source) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    project = {path.relative_to(built.project).as_posix() for path in built.project.rglob("*") if path.is_file()}
    assert len(project) > 1000
    assert found - {"PKG-INFO"} == {name for name in project if not name.startswith("dist/")}
    pyproject = tomllib.loads((built.project / "pyproject.toml").read_text(encoding="utf-8"))
    hook = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["path"]
    assert hook in found  # what compiles the modules of the proxy


def test_each_build_is_the_same(built: Built, tmp_path: Path) -> None:
    again = build(tmp_path, mtime_s=1_650_000_000)
    for first, second in ((built.wheel, again.wheel), (built.source, again.source)):
        assert first.name == second.name
        assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest(), first.name


def test_the_version_of_the_package_is_written_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"] == {"path": "dequeuer/__init__.py"}
