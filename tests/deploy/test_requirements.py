"""The packages of the image: exact versions, the hashes of their files, nothing missing."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
UPDATE = "run: tox -e lock"


def locked(name: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Return the requirements of a file with the hashes of each."""
    found: dict[str, tuple[Requirement, list[str]]] = {}
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        pin, *hashes = line.split("--hash=")
        requirement = Requirement(pin.strip())
        found[canonicalize_name(requirement.name)] = (requirement, [value.strip() for value in hashes])
    return found


IMAGE = locked("image.txt")
BUILD = locked("build.txt")
EACH = pytest.mark.parametrize("lock", [IMAGE, BUILD], ids=["image.txt", "build.txt"])


@EACH
def test_every_package_has_the_version_of_the_constraints(lock: dict[str, tuple[Requirement, list[str]]]) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {str(canonicalize_name(pin.name)): pin for pin in map(Requirement, filter(re.compile(r"\w").match, lines))}
    for name, (requirement, _) in lock.items():
        assert requirement.specifier == pins[name].specifier, f"{name}: {UPDATE}"


@EACH
def test_every_package_has_hashes_and_names_no_place(lock: dict[str, tuple[Requirement, list[str]]]) -> None:
    for name, (requirement, hashes) in lock.items():
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), name
        assert requirement.url is None


def test_the_image_gets_all_that_the_package_needs_and_what_that_needs() -> None:
    todo = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    seen: set[str] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        assert name in IMAGE, f"{name}: {UPDATE}"
        todo += map(Requirement, distribution(name).requires or [])
    assert len(seen) > 20
    # What is left is for other Pythons than this one.
    assert {name for name in IMAGE if name not in seen and not IMAGE[name][0].marker} == set()


def test_the_build_gets_what_builds_the_wheel() -> None:
    hook = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["dependencies"]
    for text in (*PROJECT["build-system"]["requires"], *hook, "cyclonedx-python-lib"):
        requirement = Requirement(text)
        (pin,) = BUILD[canonicalize_name(requirement.name)][0].specifier
        assert requirement.specifier.contains(pin.version), f"{text}: {UPDATE}"


def test_the_dockerfile_installs_packages_by_their_hashes_alone() -> None:
    commands = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"pip (?:--python \S+ )?install [^&\n]*", commands)
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or ("--no-deps" in install and install.strip().endswith("/wheels/*.whl"))
