from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from dequeuer.apis.schema import render
from tests.apis.cases import ASYNC, KINDS
from tests.apis.test_docs import EXAMPLES

FILE = Path(__file__).parents[2] / "docs" / "cortex.schema.json"
VALIDATOR = Draft202012Validator(json.loads(FILE.read_text(encoding="utf-8")))


def errors(text: str) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_the_schema_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == render(), "run: python -m dequeuer.apis.schema docs/cortex.schema.json"
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("text", [*KINDS.values(), *EXAMPLES.values()])
def test_valid_files_are_valid_by_the_schema(text: str) -> None:
    assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "a: 1",
        ASYNC.replace("kind: AsyncAPI", "kind: Other"),
        ASYNC.replace("  pod:\n", "  pod:\n    prot: 1\n"),
        ASYNC.replace("  pod:\n", "  pod:\n    port: 70000\n"),
        ASYNC.replace("  pod:\n", "  pod:\n    max_queue_length: 1\n"),
        ASYNC.replace("      image: registry.example/text:1\n", ""),
    ],
)
def test_the_schema_finds_what_concerns_one_key(text: str) -> None:
    assert errors(text) != []
