"""One pair of servers for a file of tests: it may be stopped, and is full of what went before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.servers import Servers, servers


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers("ministack", tmp_path_factory.mktemp("ministack")) as running:
        yield running


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a text at the end of the run, also when all is well, and also from a worker of xdist."""
    return lambda text: record_property("told", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    for report in reports:
        for name, text in report.user_properties:
            if name == "told":
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line(str(text))
