"""How lines are written, and the records of other libraries."""

from __future__ import annotations

import json
import logging
import warnings

import pytest
import structlog

from dequeuer.observability.logs import sidecar_event_log
from dequeuer.observability.logs.setup import MAX_MESSAGE_CHARS, MAX_TRACEBACK_CHARS
from tests.observability.logs.captured import Lines, configured, names
from tests.observability.logs.test_event_log import settled


def test_records_of_other_libraries_are_lines_from_warning_on(lines: Lines) -> None:
    logging.getLogger("aiohttp.server").warning("odd %s", "thing\nand more")
    logging.getLogger("aiohttp.server").info("not this")
    logging.getLogger("anything.else").debug("nor this")
    (line,) = lines()
    assert line.pop("timestamp")
    assert line == {
        "event": "odd thing\N{REPLACEMENT CHARACTER}and more",
        "level": "warning",
        "logger": "aiohttp.server",
    }


@pytest.mark.parametrize("name", ["botocore", "botocore.auth", "botocore.endpoint", "aiobotocore.x", "asyncio", "x"])
def test_our_debug_level_does_not_enable_that_of_the_sdk_which_logs_signatures(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = configured("debug")
    for level in (logging.DEBUG, logging.INFO):
        logging.getLogger(name).log(level, "CanonicalRequest: x-amz-security-token:SECRET")
    structlog.get_logger().debug("ours")
    captured = capsys.readouterr()
    assert "SECRET" not in out.getvalue() + captured.out + captured.err
    assert json.loads(out.getvalue())["event"] == "ours"


def test_a_library_that_turns_its_own_debugging_on_stays_silent(lines: Lines) -> None:
    library = logging.getLogger("botocore.auth")
    library.setLevel(logging.DEBUG)
    library.info("SECRET")
    library.setLevel(logging.NOTSET)
    assert lines() == []


def test_records_that_cannot_be_formatted_are_lines_too(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if type(handler).__module__.startswith("dequeuer")]
    monkeypatch.setattr(root, "handlers", ours)  # those of pytest raise
    wrong: tuple[object, ...] = ("not a number",)
    logging.getLogger("x").error("%d apples", *wrong)
    logging.getLogger("x").log(45, "a level of its own")
    logging.getLogger("x").critical("y" * 100_000)
    told = lines()
    assert [line["level"] for line in told] == ["error", "error", "critical"]
    assert told[0]["event"] == "%d apples"
    assert len(told[2]["event"]) == MAX_MESSAGE_CHARS


def test_warnings_of_python_are_lines() -> None:
    # Undone first: pytest records warnings itself while a test runs, and logging takes over only once.
    logging.captureWarnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        out = configured()
        warnings.warn("old ways", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    (text,) = out.getvalue().splitlines()
    line = json.loads(text)
    assert (line["logger"], line["level"]) == ("py.warnings", "warning")
    assert "old ways" in line["event"]


def fail_with(password: str) -> None:
    message = "x" * 20_000 + " the end"
    assert password
    raise RuntimeError(message)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_tracebacks_show_no_variables(log_format: str) -> None:
    out = configured("info", log_format)
    try:
        fail_with("-".join("abcdef"))
    except RuntimeError:
        structlog.get_logger().exception("ours")
        logging.getLogger("aiohttp.server").exception("theirs")
    assert out.getvalue().count("the end") == 2
    assert "a-b-c-d-e-f" not in out.getvalue()


def test_tracebacks_are_one_line_and_bounded(lines: Lines) -> None:
    try:
        fail_with("x")
    except RuntimeError:
        structlog.get_logger().exception("ours")
        logging.getLogger("aiohttp.server").exception("theirs")
    told = lines()
    assert names(told) == ["ours", "theirs"]
    for line in told:
        assert line["level"] == "error"
        assert line["exception"].endswith("the end")
        assert len(line["exception"]) <= MAX_TRACEBACK_CHARS + 3


def test_odd_values_are_lines(lines: Lines) -> None:
    structlog.get_logger().info("odd", value={1, 2}, text="\ud800 \N{SNOWMAN}\x00")
    (line,) = lines()
    assert line["value"] == "{1, 2}"
    assert line["text"] == "\ud800 \N{SNOWMAN}\x00"


def test_configured_twice_logs_once(lines: Lines) -> None:
    out = configured()
    logging.getLogger("x").warning("once")
    assert len(out.getvalue().splitlines()) == 1
    assert lines() == []


def test_console() -> None:
    out = configured("info", "console")
    sidecar_event_log("my-api")(settled("completed", ref="request-1"))
    assert "message_settled" in out.getvalue()
    assert "request_id=request-1" in out.getvalue()
    assert "\x1b" not in out.getvalue(), "no colours unless a terminal"
