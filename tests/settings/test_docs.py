from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.settings import GatewaySettings, SidecarSettings
from dequeuer.settings.docs import render
from dequeuer.settings.model import AwsSettings, LogSettings
from dequeuer.settings.option import Command
from dequeuer.settings.options import OPTIONS, options_of
from dequeuer.settings.usage import usage
from dequeuer.sinks.protection import ObjectProtection

FILE = Path(__file__).parents[2] / "docs" / "configuration.md"


def fields(*kinds: type) -> set[str]:
    return {name for kind in kinds for name in kind.__slots__} - {"aws", "log", "protection"}  # type: ignore[attr-defined]


def test_the_file_is_current() -> None:
    told = "run: python -m dequeuer.settings.docs > docs/configuration.md"
    assert FILE.read_text(encoding="utf-8") == render(), told


def test_every_setting_is_in_the_table_and_every_row_is_a_setting() -> None:
    sidecar = {option.name for option in options_of("sidecar")}
    assert sidecar == fields(SidecarSettings, AwsSettings, ObjectProtection, LogSettings) | {"cluster_config"}
    gateway = {option.name for option in options_of("gateway")}
    assert gateway == fields(GatewaySettings, AwsSettings, ObjectProtection, LogSettings)


def test_names_are_unique_for_each_command() -> None:
    for command in ("sidecar", "gateway"):
        rows = options_of(command)
        names = [name for option in rows for name in (option.name, option.flag, *option.env) if name]
        assert len(names) == len(set(names)) + sum(option.flag == option.name for option in rows)


def test_defaults_are_good_and_rows_are_told_in_sentences() -> None:
    for option in OPTIONS:
        if option.default is not None:
            option.parser.read(option.default)
        assert option.help.endswith(".")
        assert "|" not in option.help + option.parser.allowed + option.default_note


@pytest.mark.parametrize("command", ["sidecar", "gateway"])
def test_help_names_every_setting_and_fits_a_terminal(command: Command) -> None:
    text = usage(command)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 100
    for option in options_of(command):
        assert all(name in text for name in option.env)
        assert option.flag is None or f"--{option.flag}," in text


def test_help_tells_what_is_required() -> None:
    paragraphs = usage("sidecar").split("\n  ")
    assert any(part.startswith("--cluster-uid") for part in paragraphs)
    text = " ".join(usage("sidecar").split())
    assert "every object of an async API." in text
    assert "Required for async." in text
    assert "Required for batch." in text
    assert "gateway. Required" not in text
    assert " ".join(usage("gateway").split()).count("Required.") == 2
