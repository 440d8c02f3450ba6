from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.settings import SidecarSettings
from dequeuer.settings.docs import descriptions, help_text, render
from dequeuer.settings.option import declarations
from dequeuer.settings.programs import OPTIONS, Program

FILE = Path(__file__).parents[2] / "docs" / "configuration.md"
PROGRAMS: tuple[Program, ...] = ("sidecar", "gateway")


def test_the_file_is_current() -> None:
    page = FILE.read_text(encoding="utf-8")
    assert page == render(page), "run: python -m dequeuer.settings.docs docs/configuration.md"
    for program in PROGRAMS:
        for path, option in OPTIONS[program].items():
            assert all(f"`{name}`" in page for name in option.env)
            assert descriptions(program)[path] in page


@pytest.mark.parametrize("program", PROGRAMS)
def test_names_are_unique_for_each_program(program: Program) -> None:
    options = OPTIONS[program].values()
    names = [
        name
        for option in options
        for name in (option.flag, option.file_key and f"key {option.file_key}", *option.env)
        if name
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("program", PROGRAMS)
def test_defaults_are_allowed_and_descriptions_are_sentences(program: Program) -> None:
    described = descriptions(program)
    assert described.keys() == OPTIONS[program].keys()
    for path, option in OPTIONS[program].items():
        if option.default is not None:
            option.parser.read(option.default)
        assert described[path].endswith(".")
        assert "|" not in described[path] + option.parser.allowed + option.unset


def test_an_option_that_only_some_users_require_is_text() -> None:
    """For the others its value is an empty text, which mypy does not see."""
    for path, _, field in declarations(SidecarSettings):
        required_for = set(OPTIONS["sidecar"][path].required_for)
        assert not required_for or required_for >= {"async", "batch"} or field.type == "str"


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_names_every_option_and_fits_a_terminal(program: Program) -> None:
    text = help_text(program)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 100
    for option in OPTIONS[program].values():
        assert all(name in text for name in option.env)
        assert option.flag is None or f"--{option.flag}," in text


def test_help_shows_what_is_required() -> None:
    paragraphs = help_text("sidecar").split("\n  ")
    assert any(part.startswith("--cluster-uid") for part in paragraphs)
    text = " ".join(help_text("sidecar").split())
    assert "first part of the key of every object." in text
    assert "Required for async." in text
    assert "Required for batch." in text
    assert "gateway. Required" not in text
    assert " ".join(help_text("gateway").split()).count("Required.") == 2
