import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.errors import clip
from dequeuer.manifests.notes import Notes
from dequeuer.manifests.writing import values_text
from tests.manifests.converting import api_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.dictionaries(TEXTS, st.lists(TEXTS, max_size=4), max_size=4))
def test_any_text_comes_out_as_it_went_in(values: dict[str, list[str]]) -> None:
    assert yaml.safe_load(values_text(values, [], "cortex.yaml")) == values


@pytest.mark.parametrize(
    "text",
    ["yes", "NO", "on", "y", "N", "null", "~", "1e3", "0o17", "0x1F", "12:30", "2024-01-01", ".5", "1_000", "nan", "=", "<<", "- a", "a: b", "a #b", "", " ", "*a", "&a", "!a", "%a", "@a", "`a`", "{{ .Values.a }}", "a.b", "v1"],
)  # fmt: skip
def test_what_a_parser_might_read_as_something_else_is_in_quotes(text: str) -> None:
    (line,) = [line for line in values_text({"key": text}, [], "f").splitlines() if line.startswith("key")]
    assert line == f'key: "{text}"'


@pytest.mark.parametrize("text", ["api", "AsyncAPI", "no-reply", "a/b", "NoSchedule"])
def test_words_have_no_quotes(text: str) -> None:
    assert values_text({"key": text}, [], "f").endswith(f"\nkey: {text}\n")


def test_the_output_is_ascii_whatever_the_values_are() -> None:
    assert set(values_text({"a": "\u00e9\u2028\U0001f600\x07"}, [], "f")) <= set(string.printable)


def test_notes_are_comments_in_front() -> None:
    text = values_text({"a": "b"}, ["first", "second"], "cortex.yaml")
    assert text.splitlines()[:5] == [
        "# Values of the chart dequeuer, from cortex.yaml.",
        "#",
        "# Not carried over, or to be decided:",
        "# - first",
        "# - second",
    ]
    assert yaml.safe_load(text) == {"a": "b"}


def test_a_hostile_name_of_a_file_stays_in_its_comment() -> None:
    data = api_text("AsyncAPI", more=", autoscaling: {init_replicas: 3}").encode()
    notes = Notes(data, "evil\nclusterUid: x")
    notes.add((0, "autoscaling", "init_replicas"), "text")
    written = values_text({"a": "b"}, notes.lines(), clip("evil\nclusterUid: \u00e9"))
    assert yaml.safe_load(written) == {"a": "b"}
    assert written.isascii()
