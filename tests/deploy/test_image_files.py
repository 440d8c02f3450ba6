import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PINS = {
    requirement.name.lower().replace("_", "-").replace(".", "-"): requirement
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
    for requirement in [Requirement(line)]
}


def test_every_pin_is_exact_and_names_no_place() -> None:
    for name, requirement in PINS.items():
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], name
        assert requirement.url is None, name


def test_every_declared_dependency_is_pinned_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
        *project["build-system"]["requires"],
        *project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["dependencies"],
    ]
    for text in declared:
        requirement = Requirement(text)
        pin = PINS[requirement.name.lower().replace("_", "-").replace(".", "-")]
        (specifier,) = pin.specifier
        assert requirement.specifier.contains(specifier.version), f"{text} against {pin}"


def test_the_base_is_pinned_and_the_user_is_a_number() -> None:
    (base,) = re.findall(r"^ARG BASE=(.*)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+@sha256:[0-9a-f]{64}", base)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BASE}", "scratch"]
    assert re.search(r"^USER 65532:65532$", DOCKERFILE, re.MULTILINE)
    assert 'ENTRYPOINT ["/dequeuer"]' in DOCKERFILE
    assert "HEALTHCHECK [" not in DOCKERFILE


def test_the_image_gets_what_the_docker_ignore_file_lets_through() -> None:
    let_through = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]
    }
    assert copied == let_through
