"""Checks that tag, package, chart and changelog have one version, and prints what the release changes.

Usage: check_release.py TAG. The release workflow runs it first: nothing is built or published from a tag that is wrong.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

VERSION = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)((a|b|rc)(0|[1-9]\d*))?"
"""Of releases and their candidates: spelt in the same way by Python, Git, charts and images."""


def faults(root: Path, tag: str) -> Iterator[str]:
    """Yield each disagreement as one sentence that says what to do."""
    if not re.fullmatch(f"v{VERSION}", tag):
        yield f"the tag {tag!r} is not `v` and a version such as v1.2.3 or v1.2.3rc1: delete it, and make another one"
        return
    version = tag.removeprefix("v")
    # Charts have versions of SemVer, with a hyphen before what follows the numbers.
    chart = re.sub(r"(?=[abr])", "-", version, count=1)
    for file, pattern, expected in (
        ("dequeuer/__init__.py", r'^__version__ = "(.*)"$', version),
        ("deploy/chart/Chart.yaml", r'^version: "?([^"\s]*)"?$', chart),
        ("deploy/chart/Chart.yaml", r'^appVersion: "?([^"\s]*)"?$', version),
    ):
        match = re.search(pattern, (root / file).read_text(encoding="utf-8"), re.MULTILINE)
        if not match or match[1] != expected:
            given = match[0] if match else "no version"
            yield f"{file} has {given} instead of {expected}: change it, then tag that commit"
    if not notes(root, version):
        yield f"CHANGELOG.md has no text below a heading `## [{version}] - YYYY-MM-DD`: write it, then tag its commit"


def notes(root: Path, version: str) -> str:
    """Return what the changelog has about a version, or nothing."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", text, re.MULTILINE)
    return text[heading.end() :].partition("\n## ")[0].strip() if heading else ""


def main(arguments: list[str]) -> int:
    """Print the notes, or the faults to standard error, and return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write(f"usage: {Path(__file__).name} TAG\n")
        return 2
    root = Path(__file__).resolve().parents[1]
    wrong = list(faults(root, arguments[0]))
    sys.stderr.writelines(f"{fault}\n" for fault in wrong)
    if not wrong:
        sys.stdout.write(f"{notes(root, arguments[0].removeprefix('v'))}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
