"""The documents keep what they promise: every test that they name exists, every file, every log line and metric."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dequeuer.observability.metrics import Metrics

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


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


def rows(document: str, section: str) -> list[str]:
    """Return the rows of the tables of one section, without their heads."""
    text = (ROOT / document).read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = text.splitlines()
    return [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith("| ") and not line.startswith("| ---") and not following.startswith("| ---")
    ]


@pytest.mark.parametrize(
    ("document", "section", "least", "columns"),
    [
        ("README.md", "Guarantees", 15, 2),
        ("docs/reliability.md", "What holds", 13, 3),
        ("docs/reliability.md", "What can go wrong", 50, 4),
    ],
)
def test_every_promise_names_its_test(document: str, section: str, least: int, columns: int) -> None:
    found = rows(document, section)
    assert len(found) >= least
    for row in found:
        assert row.count(" | ") == columns - 1, row
        assert re.search(r"`(tests/[\w/]+(\.py|/)|\.\.\.::)", row.rpartition(" | ")[2]), row


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (document.parent / link).exists(), f"{document.name}: {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_of_the_tests_that_is_named_exists(document: Path) -> None:
    for path in re.findall(r"`((?:tests|bench|deploy|scripts)/[\w./-]*)", document.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), f"{document.name}: {path}"


def families() -> set[str]:
    """Return the names of all metrics, as Prometheus shows them, but those of every process."""
    kinds = [Metrics("async", "api", "", 1), Metrics("batch", "api", "job", 1)]
    names = {name for kind in kinds for name in re.findall(r"# TYPE (\S+)", kind.render().decode())}
    return {name for name in names if not name.startswith("process_")}


def test_every_metric_is_told() -> None:
    told = set(re.findall(r"`((?:cortex|dequeuer)_\w+)", OPERATIONS))
    assert told == families()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_metric_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"`((?:cortex|dequeuer)_\w+)", document.read_text(encoding="utf-8")))
    assert named <= families()


def logged() -> Iterator[str]:
    """Yield the names of log lines, as far as the source has them in one piece; and the pairs of queue and store."""
    for path in (ROOT / "dequeuer").rglob("*.py"):
        if path.parent.name == "dev":
            continue
        source = path.read_text(encoding="utf-8")
        yield from re.findall(r"log\.(?:info|warning|error|exception)\(\s*\"([a-z]+(?:_[a-z]+)*)\"", source)
        for ending in re.findall(r"\{group\}_([a-z]+)", source):
            yield from (f"queue_{ending}", f"store_{ending}")


def test_every_log_line_is_told() -> None:
    names = set(logged())
    assert len(names) > 25
    assert names <= set(re.findall(r"`(\w+)`", OPERATIONS))


def places() -> set[str]:
    """Return all modules that the first column of the table in architecture.md names; `*` and folders are expanded.

    A name without a folder is in that of the file before it in its row.
    """
    code = ROOT / "dequeuer"
    found = set()
    for row in re.findall(r"^\| (`[^|]+) \|", ARCHITECTURE, re.MULTILINE):
        folder = ""
        for name in re.findall(r"`([\w./*]+)`", row):
            path = name.removeprefix("dequeuer/")
            if "/" in path:
                folder = "" if path.endswith("/") else f"{path.rpartition('/')[0]}/"
            else:
                path = folder + path
            modules = {*code.glob(f"{path}**/*.py" if path.endswith("/") else path)}
            assert modules, path
            found |= {module.relative_to(code).as_posix() for module in modules}
    return found


def test_every_module_has_its_place_in_the_architecture() -> None:
    code = ROOT / "dequeuer"
    modules = {path for path in code.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")}
    assert not {path.relative_to(code).as_posix() for path in modules} - places()
