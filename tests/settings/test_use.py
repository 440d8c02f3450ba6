from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import dequeuer
from dequeuer.settings import AccessSettings, AwsSettings, SidecarSettings
from dequeuer.settings.option import declarations, option, settings_class
from dequeuer.settings.parsers import whole
from dequeuer.settings.programs import MODELS, Program

ROOT = Path(dequeuer.__file__).parent
READ_WHILE_LOADING = {"cluster_config"}
"""`settings/loading.py` uses these itself."""


def attributes(source: str, *roots: str) -> Iterator[str]:
    """Yield what is read of a variable or attribute of one of these names: `aws.client` of `settings.aws.client`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            parts = ast.unparse(node).split(".")
            yield from (".".join(parts[at + 1 :]) for at, part in enumerate(parts[:-1]) if part in roots)


def reads(folder: str) -> set[str]:
    """Return what the modules of a folder read of the settings that they are given."""
    files = (ROOT / folder).rglob("*.py")
    return {path for file in files for path in attributes(file.read_text(encoding="utf-8"), "settings", "_settings")}


def properties(model: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each property of a settings class with each option that it reads."""
    for name, value in inspect.getmembers(model, lambda value: isinstance(value, property)):
        for path in attributes(inspect.getsource(value.fget).strip().removeprefix("@property").strip(), "self"):
            yield prefix + name, prefix + path


def _all_properties(model: type) -> list[tuple[str, str]]:
    return [*properties(model), *properties(AwsSettings, "aws."), *properties(AccessSettings, "access.")]


def unused(program: Program, model: type) -> set[str]:
    """Return the options of a program that neither it nor the AWS clients read as `settings.<path>`."""
    read = reads(program) | {f"aws.{path}" for path in reads("clients")}
    read |= {path for name, path in _all_properties(model) if name in read}
    paths = {path for path, _, _ in declarations(model)} - READ_WHILE_LOADING
    return {path for path in paths if not any(f"{one}.".startswith(f"{path}.") for one in read)}


@pytest.mark.parametrize("program", MODELS)
def test_every_option_is_used_by_its_program(program: Program) -> None:
    assert unused(program, MODELS[program]) == set(), f"read settings.<option> in dequeuer/{program}/"


def test_an_option_that_is_only_declared_is_found() -> None:
    @settings_class
    class WithOneMore(SidecarSettings):
        made_up: int = option(whole(1, 9), "DEQUEUER_MADE_UP", default="1")

    assert "made_up" in unused("sidecar", WithOneMore)


def test_a_read_through_a_property_is_use() -> None:
    found = set(properties(AwsSettings, "aws."))
    assert ("aws.sqs_endpoint", "aws.endpoint_url_sqs") in found
    assert ("aws.protection", "aws.s3_bucket_owner") in found


def test_an_option_without_a_default_that_the_loading_does_not_find_is_no_silent_value() -> None:
    @settings_class
    class WithOneMore:
        made_up: int = option(whole(1, 9), "DEQUEUER_MADE_UP")

    with pytest.raises(TypeError, match="made_up"):
        WithOneMore()  # type: ignore[call-arg]  # that is the test
