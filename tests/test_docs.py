"""The documents keep what they promise: every test that they name exists, and every file."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def named_tests(text: str) -> list[tuple[str, str]]:
    """Return file and name of each test that is named; `...` stands for the file named before."""
    found = []
    file = ""
    for path, name in re.findall(r"`?(tests/[\w/]+\.py|\.\.\.)::(\w+)", text):
        file = file if path == "..." else path
        found.append((file, name))
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(document: Path) -> None:
    for file, name in named_tests(document.read_text(encoding="utf-8")):
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{document.name}: {file}::{name}"


def test_the_readme_names_tests() -> None:
    assert len(named_tests((ROOT / "README.md").read_text(encoding="utf-8"))) > 10


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (document.parent / link).exists(), f"{document.name}: {link}"
