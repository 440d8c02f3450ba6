"""The documents keep what they promise: every test that they name exists, every file, every log line and metric."""

import ast
import re
import runpy
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from dequeuer.core.events import Settlement
from dequeuer.observability.metrics import Metrics
from dequeuer.observability.metrics.controller import ControllerMetrics
from dequeuer.observability.metrics.enqueuer import EnqueuerMetrics
from dequeuer.observability.metrics.gateway import GatewayMetrics
from dequeuer.observability.metrics.webhooks import WebhookMetrics
from dequeuer.proxy.metrics import ProxyMetrics
from tests.history.checker import Rule
from tests.history.key_checker import KeyRule

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(path for folder in ("docs", "bench", "deploy", ".github") for path in (ROOT / folder).rglob("*.md")),
    ]
)
INDEX = ROOT / "docs" / "README.md"
LOG_METHOD = re.compile(r"(?:info|warning|error|exception|critical|log)\Z|_log")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def named_tests(text: str) -> list[tuple[str, str]]:
    """Return file and name of each test that is named; `...` stands for the file named before."""
    found = []
    file = ""
    for path, name in re.findall(r"`?(tests/[\w/]+\.py|\.\.\.)::(\w+)", text):
        file = file if path == "..." else path
        found.append((file, name))
    return found


@each_document
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
        ("docs/security.md", "What holds", 19, 2),
        ("docs/reliability.md", "What can go wrong", 50, 4),
    ],
)
def test_every_promise_names_its_test(document: str, section: str, least: int, columns: int) -> None:
    found = rows(document, section)
    assert len(found) >= least
    for row in found:
        assert row.count(" | ") == columns - 1, row
        assert re.search(r"`(tests/[\w/]+(\.py|/)|\.\.\.::)", row.rpartition(" | ")[2]), row


def test_the_rules_of_the_checkers_are_promises() -> None:
    named = {rule for row in rows("docs/reliability.md", "What holds") for rule in row.split(" | ")[1].split(", ")}
    assert {*get_args(Rule), *get_args(KeyRule)} - named == set()


def prose(document: Path) -> str:
    """Return the text of a document without its code blocks: what looks like a link or a heading there is none."""
    return re.sub(r"^ *```.*?^ *```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """Return the anchors of the headings, spelt as the forge spells them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.*?) *$", prose(document), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = base = re.sub(r"[^\w -]", "", text).replace(" ", "-")
        number = 0
        while anchor in found:
            number += 1
            anchor = f"{base}-{number}"
        found.add(anchor)
    return found


def links(document: Path) -> list[tuple[Path, str]]:
    """Return where the links of a document lead inside the project: file, and anchor or nothing."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        path, _, anchor = link.partition("#")
        if "://" not in link:
            found.append(((document.parent / path).resolve() if path else document, anchor))
    return found


@each_document
def test_every_link_leads_somewhere(document: Path) -> None:
    for file, anchor in links(document):
        assert file.exists(), f"{document.name}: {file}"
        assert file.is_relative_to(ROOT), f"{document.name}: {file}"
        if anchor:
            assert anchor in anchors(file), f"{document.name}: {file.name}#{anchor}"


def test_anchors_are_spelt_as_the_forge_spells_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A message's life\n\n## Why not ...\n\n## `x_y`, [z](z.md)\n\n## Twice\n\n### Twice\n\n```\n# no\n```\n"
    )
    assert anchors(page) == {"a-messages-life", "why-not-", "x_y-z", "twice", "twice-1"}


def test_the_index_leads_to_every_page() -> None:
    assert {file for file, _ in links(INDEX)} >= {
        path for path in DOCUMENTS if path.parent.name != "ISSUE_TEMPLATE"
    } - {
        INDEX,
        ROOT / ".github" / "pull_request_template.md",
    }


def test_the_readme_leads_to_every_page_of_the_index() -> None:
    pages = {file for file, _ in links(INDEX) if file.parent == INDEX.parent}
    assert len(pages) > 10
    assert pages <= {file for file, _ in links(ROOT / "README.md")}


def test_the_readme_has_two_commands_to_set_up() -> None:
    blocks = re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [block.count("\n") for block in blocks if "pip install" in block] == [1, 1]


@each_document
def test_every_setting_that_is_named_exists(document: Path) -> None:
    known = set(re.findall(r"\bDEQUEUER_\w+", (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")))
    named = set(re.findall(r"\bDEQUEUER_\w*[A-Z]", document.read_text(encoding="utf-8")))
    assert named <= known, document.name


@each_document
def test_every_module_that_is_named_exists(document: Path) -> None:
    for path in re.findall(r"`((?:dequeuer/)?(?:\w+/)+\w+\.py)", document.read_text(encoding="utf-8")):
        places = (ROOT / path, ROOT / "dequeuer" / path)
        assert any(place.exists() for place in places), f"{document.name}: {path}"


def test_every_module_of_a_room_is_in_it() -> None:
    for room, row in re.findall(r"^\| `([\w/]+/)` \|(.*)$", ARCHITECTURE, re.MULTILINE):
        folder = ROOT / "dequeuer" if room == "dequeuer/" else ROOT / "dequeuer" / room
        for name in re.findall(r"`(\w+\.py)`", row):
            assert (folder / name).exists(), f"{room}{name}"


@each_document
def test_every_file_of_the_tests_that_is_named_exists(document: Path) -> None:
    for path in re.findall(r"`((?:tests|bench|deploy|scripts)/[\w./-]*)", document.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), f"{document.name}: {path}"


def families() -> set[str]:
    """Return the names of all metrics, as Prometheus shows them, but those of every process."""
    kinds = [Metrics("async", "api", "", 1), Metrics("batch", "api", "job", 1)]
    others = [
        EnqueuerMetrics("api", "job").render(),
        ControllerMetrics().render(),
        ProxyMetrics().render(),
        WebhookMetrics().render(),
        GatewayMetrics().render(),
    ]
    texts = [*(kind.render() for kind in kinds), *others]
    names = {name for text in texts for name in re.findall(r"# TYPE (\S+)", text.decode())}
    return {name for name in names if not name.startswith("process_")}


def test_every_metric_is_documented() -> None:
    documented = set(re.findall(r"`((?:cortex|dequeuer)_\w+)", OPERATIONS))
    assert documented == families()


# The page of files names functions, and is made of the code.
@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name != "files.md"], ids=lambda path: path.name
)
def test_every_metric_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"`((?:cortex|dequeuer)_\w+)\b(?!/)", document.read_text(encoding="utf-8")))
    assert named <= families()


def sources() -> Iterator[ast.Module]:
    """Yield the code of the programs that log: all but the local stack, which talks to a person."""
    for path in (ROOT / "dequeuer").rglob("*.py"):
        if path.parent.name != "dev":
            yield ast.parse(path.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts in a piece of code. One that begins with a variable counts for queue and store."""
    inside = [part for piece in ast.walk(node) if isinstance(piece, ast.JoinedStr) for part in piece.values]
    for piece in ast.walk(node):
        if isinstance(piece, ast.Constant) and isinstance(piece.value, str) and piece not in inside:
            yield piece.value
        if isinstance(piece, ast.JoinedStr) and len(piece.values) == 2 and isinstance(piece.values[1], ast.Constant):
            yield from (service + str(piece.values[1].value) for service in ("queue", "store"))


def logged() -> Iterator[str]:
    """Yield the names of log lines, as far as they stand in the call that writes them."""
    for source in sources():
        for node in ast.walk(source):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and LOG_METHOD.match(node.func.attr):
                for name in [name for argument in node.args for name in texts(argument)]:
                    if re.fullmatch(r"[a-z]+(_[a-z]+)+", name):
                        yield name


def test_every_log_event_is_documented() -> None:
    names = set(logged())
    assert len(names) > 30
    assert names <= set(re.findall(r"`(\w+)`", OPERATIONS))


def test_every_documented_log_event_exists() -> None:
    documented = {
        name for row in rows("docs/operations.md", "Log") for name in re.findall(r"`(\w+)`", row.split(" | ")[0])
    }
    assert len(documented) > 50
    assert documented <= {text for source in sources() for text in texts(source)}


def test_every_reason_that_is_quoted_exists() -> None:
    reasons = re.findall(r'"([^"]+) \.\.\."', OPERATIONS)
    assert len(reasons) > 1
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "dequeuer").rglob("*.py"))
    for reason in reasons:
        assert f'"{reason} ' in code, reason


def test_every_settlement_is_documented() -> None:
    documented = [
        row.split("`")[1] for row in rows("docs/operations.md", "Log") if re.match(r"\| `\w+` \| \w+ \| ", row)
    ]
    assert set(get_args(Settlement)) <= set(documented)


def packages() -> set[str]:
    """Return the folders of the code, as they are written in the documents."""
    code = ROOT / "dequeuer"
    return {f"{path.parent.relative_to(code).as_posix()}/" for path in code.rglob("__init__.py") if path.parent != code}


def test_every_room_is_in_the_architecture_and_no_other() -> None:
    named = re.findall(r"^\| `([\w/]+/)` \|", ARCHITECTURE, re.MULTILINE)
    assert len(packages()) > 15
    assert sorted(named) == sorted({"dequeuer/", *packages()})


WITHOUT_A_ROOM = {
    *("bench", "deploy", "faults", "history", "hostile", "integration", "kubelet", "mutations", "node", "simulation"),
}
"""Folders of tests that mirror no room: tests of the whole, of what stands beside `dequeuer/`, and of the tests' own tools."""


def test_the_tests_mirror_the_rooms() -> None:
    tests = ROOT / "tests"
    folders = {f"{path.parent.relative_to(tests).as_posix()}/" for path in tests.rglob("test_*.py")} - {"./"}
    assert {folder for folder in folders if folder.partition("/")[0] not in WITHOUT_A_ROOM} <= packages()


def test_every_layer_is_held_by_import_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract for contract in contracts if contract["type"] == "layers")
    named = {name for line in layers["layers"] for name in line.split(" | ")}
    assert layers["exhaustive"]
    assert named == {*(package.partition("/")[0] for package in packages()), "cli", "__main__"}


def test_the_page_of_files_is_current() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "list_files.py"))
    page = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    assert page == script["render"](), "run: python scripts/list_files.py"


def imported() -> Iterator[tuple[str, str]]:
    """Yield each package from outside that the code imports, with the file that does."""
    for path in (ROOT / "dequeuer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                package = name.partition(".")[0]
                if package not in {"dequeuer", *sys.stdlib_module_names} - {"compression"}:
                    yield package, path.relative_to(ROOT).as_posix()


def test_every_declared_dependency_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in project["dependencies"]}
    packages_of = {"pyyaml": "yaml", "backports.zstd": "backports"}
    declared = {packages_of.get(name, name.replace("-", "_")) for name in names}
    assert len(declared) > 8
    assert declared <= {package for package, _ in imported()}


def test_every_package_from_outside_is_held_by_import_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    whole = [contract for contract in contracts if contract.get("source_modules") == ["dequeuer"]]
    held = {package for contract in whole for package in contract["forbidden_modules"]}
    assert len(held) > 10
    for package, file in imported():
        assert package in held, f"{file} imports {package}"
