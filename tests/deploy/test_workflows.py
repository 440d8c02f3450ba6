"""What the workflows may do, and in which order. `tox -e lint` holds their syntax and looks for what attackers use."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
RELEASE: dict[str, Any] = yaml.safe_load((FOLDER / "release.yml").read_text(encoding="utf-8"))
PUBLISHING = ("publish-image", "publish-distributions", "publish-notes")

each_workflow = pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda path: path.name)


def needed(job: str) -> set[str]:
    """Return all jobs that must have succeeded before a job begins."""
    names = RELEASE["jobs"][job].get("needs", [])
    direct = {names} if isinstance(names, str) else set(names)
    return direct.union(*(needed(name) for name in direct))


@each_workflow
def test_every_action_is_a_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert used
    for action in used:
        if not action.startswith("./.github/workflows/ci.yml "):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@each_workflow
def test_a_job_may_do_only_what_it_says(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert "permissions" in job, name
        may_write = {scope for scope, access in job["permissions"].items() if access == "write"}
        assert not may_write or name in PUBLISHING, f"{name}: {may_write}"


@each_workflow
def test_what_comes_from_a_tag_or_a_repository_is_no_text_of_a_command(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    for job in workflow["jobs"].values():
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", ""), step


def test_nothing_is_published_before_all_checks_have_passed() -> None:
    for job in PUBLISHING:
        assert {"check", "checks", "image"} <= needed(job), job
    assert "distributions" in needed("publish-distributions")
    assert set(PUBLISHING[:2]) <= needed("publish-notes")


def test_the_image_that_is_published_is_the_one_that_was_checked() -> None:
    commands = "\n".join(step.get("run", "") for step in RELEASE["jobs"]["publish-image"]["steps"])
    assert "buildah bud" not in commands
    assert "docker build" not in commands
    (step,) = [step for step in RELEASE["jobs"]["image"]["steps"] if "check-image" in step.get("run", "")]
    assert step["env"]["ONLY_THE_OFFICIAL_BASE"] == "yes"
    architectures = {entry["architecture"] for entry in RELEASE["jobs"]["image"]["strategy"]["matrix"]["include"]}
    assert architectures == {"amd64", "arm64"}


def test_the_chart_of_a_release_installs_the_image_of_that_release() -> None:
    (step,) = [step for step in RELEASE["jobs"]["publish-image"]["steps"] if "helm package" in step.get("run", "")]
    before = step["run"].partition("helm package")[0]
    (example, own) = re.findall(r"^sed -i \"s\|\^(.*?)\\\$\|(.*?)\|\" deploy/chart/values.yaml$", before, re.MULTILINE)[
        0
    ]
    values = (ROOT / "deploy" / "chart" / "values.yaml").read_text(encoding="utf-8").splitlines()
    assert values.count(example) == 1
    assert own == "  repository: $IMAGE"
    # A line that is not replaced ends the release.
    assert f'grep -qxF "{own}" deploy/chart/values.yaml' in before


def test_the_base_and_the_actions_are_updated() -> None:
    dependabot = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    assert {update["package-ecosystem"] for update in dependabot["updates"]} == {"docker", "github-actions"}
