"""docs/permissions.md has the policies of the program, each with what happens without it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from dequeuer.policies.all_needs import OF_PAGE
from dequeuer.policies.document import policy_document, unfilled
from dequeuer.policies.needs import CASES, NeedsOfProgram

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "permissions.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```json ([a-z-]+)\n(.*?)```\n", re.DOTALL)
TABLE = re.compile(r"\| without \| what happens \|\n\| --- \| --- \|\n((?:\|.*\n)+)")
ACTION = re.compile(r"`([a-z0-9]+:[A-Za-z]+)`")


def plain(markdown: str) -> str:
    """Return text without the marks of Markdown."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown).replace("`", "").strip()


def tables() -> Mapping[str, Mapping[str, str]]:
    """Return what the table that follows a policy says, by policy and action."""
    found: dict[str, dict[str, str]] = {}
    for match in TABLE.finditer(PAGE):
        name = [block[1] for block in BLOCK.finditer(PAGE[: match.start()])][-1]
        rows = [row.strip("|\n").split(" | ") for row in match[1].splitlines()]
        named = {action: plain(effect) for actions, effect in rows for action in ACTION.findall(actions)}
        assert name not in found
        found[name] = named
    return found


def test_the_page_has_every_policy_in_this_order_and_no_other() -> None:
    assert [block[1] for block in BLOCK.finditer(PAGE)] == [one.name for one in OF_PAGE]


@pytest.mark.parametrize("one", OF_PAGE, ids=lambda one: one.name)
def test_a_policy_of_the_page_is_the_one_of_the_program(one: NeedsOfProgram) -> None:
    [text] = [block[2] for block in BLOCK.finditer(PAGE) if block[1] == one.name]
    assert json.loads(text) == policy_document(unfilled(one.needs))


def test_the_tables_of_the_page_say_what_the_program_says() -> None:
    found = tables()
    assert found.keys() == {"async", "queue-objects", "batch-output", "gateway", "controller"}
    for name, rows in found.items():
        [one] = [one for one in OF_PAGE if one.name == name]
        said = {need.action: need.without for need in one.needs if (name, need.case) != ("queue-objects", "own_key")}
        assert {action: rows.get(action) for action in said} == said, name
        of_program = {need.action for other in OF_PAGE if other.program == one.program for need in other.needs}
        assert rows.keys() <= of_program, name


def test_every_case_is_a_need_s_and_has_words() -> None:
    assert {need.case for one in OF_PAGE for need in one.needs} == set(CASES)
