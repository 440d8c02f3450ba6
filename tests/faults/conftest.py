"""One pair of servers for each file of tests. Tests stop it with SIGSTOP, and objects of earlier tests are in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.servers import Servers, servers


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers("ministack", tmp_path_factory.mktemp("ministack")) as running:
        yield running


@pytest.fixture
def print_at_end(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a text at the end of the run, also when the test passes, and also in a worker of xdist."""
    return lambda text: record_property("text", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    for report in reports:
        for name, text in report.user_properties:
            if name == "text":
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line(str(text))
