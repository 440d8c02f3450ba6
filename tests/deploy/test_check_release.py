import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_release.py"
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-27\n\n### Added\n\n- A thing.\n\n## [1.2.2] - 2026-01-01\n\n- Old.\n"


def check(
    root: Path,
    tag: str,
    *,
    package: str = "1.2.3",
    chart: str = "version: 1.2.3\nappVersion: 1.2.3\n",
    changelog: str = CHANGELOG,
) -> tuple[int, str, list[str]]:
    for name, text in {
        "dequeuer/__init__.py": f'"""A package."""\n\n__version__ = "{package}"\n',
        "deploy/chart/Chart.yaml": f"apiVersion: v2\n{chart}",
        "CHANGELOG.md": changelog,
        "scripts/check_release.py": SCRIPT.read_text(encoding="utf-8"),
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    command = [sys.executable, str(root / "scripts" / "check_release.py"), tag]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr.splitlines()


def test_what_agrees_is_released_with_its_part_of_the_changelog(tmp_path: Path) -> None:
    assert check(tmp_path, "v1.2.3") == (0, "### Added\n\n- A thing.\n", [])


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v01.2.3", "v1.2.3-rc1", "v1.2.3\n", "v1.2.3; true", ""])
def test_a_tag_that_is_no_version_is_refused(tmp_path: Path, tag: str) -> None:
    status, notes, (fault, *_) = check(tmp_path, tag)
    assert (status, notes) == (1, "")
    assert "is not `v` and a version" in fault


def test_every_disagreement_is_named_at_once(tmp_path: Path) -> None:
    status, notes, faults = check(tmp_path, "v2.0.0")
    assert (status, notes) == (1, "")
    assert [fault.split(" has ")[0] for fault in faults] == [
        "dequeuer/__init__.py",
        "deploy/chart/Chart.yaml",
        "deploy/chart/Chart.yaml",
        "CHANGELOG.md",
    ]


@pytest.mark.parametrize(
    "heading", ["## [1.2.3]", "## [1.2.3] - soon", "## [1x2x3] - 2026-11-27", "## [1.2.3] - 2026-11-27"]
)
def test_a_changelog_without_date_or_text_is_refused(tmp_path: Path, heading: str) -> None:
    status, _, faults = check(
        tmp_path, "v1.2.3", changelog=f"# Changelog\n\n{heading}\n\n## [1.2.2] - 2026-01-01\n\n- Old.\n"
    )
    assert status == 1
    assert faults == [
        "CHANGELOG.md has no text below a heading `## [1.2.3] - YYYY-MM-DD`: write it, then tag its commit"
    ]


def test_a_candidate_is_a_release_of_its_own(tmp_path: Path) -> None:
    changelog = "## [1.2.3rc1] - 2026-11-27\n\n- A thing.\n"
    chart = 'version: 1.2.3-rc1\nappVersion: "1.2.3rc1"\n'
    assert check(tmp_path, "v1.2.3rc1", package="1.2.3rc1", chart=chart, changelog=changelog) == (0, "- A thing.\n", [])


def test_a_chart_without_a_version_is_named(tmp_path: Path) -> None:
    _, _, (fault,) = check(tmp_path, "v1.2.3", chart="appVersion: 1.2.3\n")
    assert fault == "deploy/chart/Chart.yaml has no version instead of 1.2.3: change it, then tag that commit"
