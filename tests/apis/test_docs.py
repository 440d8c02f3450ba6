from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from dequeuer.apis import parse_apis
from dequeuer.apis.container import SidecarProbe
from dequeuer.apis.docs import SECTIONS, models_at, render
from dequeuer.apis.fields import fields_of
from dequeuer.apis.kinds import MODELS
from tests.apis.cases import FILE, fault

PAGE = Path(__file__).parents[2] / "docs" / "apis.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"### (\w+)\n\n```yaml\n(.*?)```", TEXT, re.DOTALL))


def test_the_page_is_current() -> None:
    assert render(TEXT) == TEXT, "run: python -m dequeuer.apis.docs docs/apis.md"


def test_the_page_has_a_section_for_each_table_in_their_order() -> None:
    reference = TEXT.partition("## Reference")[2]
    assert re.findall(r"^### (.+)$", reference, re.MULTILINE) == list(SECTIONS)


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in fields_of(model).values():
        if field.model is not None:
            yield from models(field.model)


def test_every_model_is_in_a_table() -> None:
    shown = {model for path in SECTIONS.values() for model in models_at(path).values()}
    # The probe without `exec` is told in words beside the table of the other one.
    assert {one for kind in MODELS.values() for one in models(kind)} - shown == {SidecarProbe}


def test_every_key_has_a_meaning() -> None:
    for kind in MODELS.values():
        for model in models(kind):
            for field in fields_of(model).values():
                assert (field.info.description or "").endswith("."), f"{model.__name__}.{field.key}"
                assert field.allowed


@pytest.mark.parametrize("kind", MODELS)
def test_the_example_of_each_kind_is_valid(kind: str) -> None:
    assert kind in {api.kind for api in parse_apis(EXAMPLES[kind].encode(), "example")}


def test_all_examples_together_are_valid() -> None:
    assert len(EXAMPLES) == 5
    assert len(parse_apis("".join(EXAMPLES.values()).encode(), "examples")) == 8


def test_the_fault_of_the_page_is_what_is_told() -> None:
    (shown,) = re.findall(rf"^{FILE}:12:9: (.*)$", TEXT, re.MULTILINE)
    text = (
        "- {name: a, kind: TaskAPI, pod: {containers: [{name: a, image: b, command: [c]}]}}\n"
        "- {name: sum, kind: BatchAPI, pod: {containers: [{name: a, image: b, command: [c], readiness_probe: {}}]}}\n"
    )
    assert fault(text).partition(": ")[2] == shown
