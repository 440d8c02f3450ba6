"""Files that are no list of APIs, and what YAML allows besides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dequeuer.apis import AsyncApi, load_apis
from dequeuer.apis.loading import MAX_BYTES
from dequeuer.core.errors import ConfigurationError
from dequeuer.files.reading import MAX_DEPTH
from tests.apis.cases import ASYNC, BATCH, fault, faults, only, parse

LAUGHS = "- &a0 [x, x]\n" + "".join(f"- &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 10))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "1:1: is empty; allowed: a list of APIs"),
        (b"# nothing\n", "is empty"),
        (b"---\n...\n", "has no API"),
        (b"null\n", "has no API"),
        (b"[]\n", "1:1: has no API; allowed: a list of APIs"),
        (b"\n\na: 1\n", "3:1: holds no list"),
        (b"text\n", "1:1: holds no list"),
        (b"- a: 1\n  b: \xff\n", "2:6: holds a byte that is no UTF-8; save it as UTF-8"),
        ("- a: 1\n".encode("utf-16"), "1:1: holds a byte that is no UTF-8"),
        (b"- a: 1\n  b: \x00\n", "2:6: holds the character U+0000"),
        (b"- a: 1\n\tb: 2\n", "2:1: is no YAML (a tab;"),
        (b"- a: 1\n  b: [\n", "is no YAML ("),
        (b"- a: b: c\n", "1:7: is no YAML (mapping values are not allowed in this context)"),
        (b"- *x\n", "1:3: is no YAML (found undefined alias"),
        (b"- 1\n---\n- 2\n", "2:1: holds a second document;"),
        (b"- &a [*a]\n", "1:3: contains itself through an alias"),
        (b"- &a {b: *a}\n", "contains itself"),
        (b"- &a {<<: *a}\n", "contains itself"),
        (b"[" * 500_000, f"1:{MAX_DEPTH + 1}: is nested more than {MAX_DEPTH} deep"),
        (b"- " * 5000, f"is nested more than {MAX_DEPTH} deep"),
        (LAUGHS.encode(), "6:3: is more than 100000 values with its aliases written out; use fewer"),
        (b"%YAML 3.0\n--- [1]\n", "is no YAML ("),
    ],
)
def test_a_file_that_is_no_list_of_apis_is_one_fault(text: bytes, expected: str) -> None:
    found = fault(text)
    assert expected in found
    assert found[0].isdigit()


def test_many_merges_of_large_mappings_are_refused() -> None:
    text = "- &a0 {k: 1}\n" + "".join(f"- &a{at} {{<<: *a{at - 1}, k{at}: 1}}\n" for at in range(1, 2000))
    assert "merges more than 100000 entries" in fault(text)


def test_a_chain_of_aliases_is_refused_before_the_stack_ends() -> None:
    links = ", ".join(f"a{at}: &a{at} [*a{at - 1}]" for at in range(1, 3000))
    assert f"nested more than {MAX_DEPTH} deep with its aliases" in fault(
        f"- {{a0: &a0 [], {links}, <<: {{x: *a2999}}}}"
    )


def test_a_key_that_is_there_twice_is_a_fault() -> None:
    text = ASYNC.replace("  pod:\n", "  pod:\n    port: 1\n    port: 2\n")
    assert "5:5: apis[0].pod.port (API text): is there twice, first in line 4; allowed: each key once;" in fault(text)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!timestamp", "!mine", "!!binary"])
def test_tags_are_refused(tag: str) -> None:
    found = faults(ASYNC.replace("registry.example/text:1", f"{tag} x"))
    assert any("6:14: apis[0].pod.containers[0].image (API text): has the tag" in one for one in found)


def test_the_standard_tags_are_read() -> None:
    api = only(ASYNC.rstrip("\n") + "\n      env: {A: !!str 1, B: !!str yes}\n      compute: {gpu: !!int 2}\n")
    assert isinstance(api, AsyncApi)
    assert api.pod.containers[0].env == {"A": "1", "B": "yes"}
    assert api.pod.containers[0].compute.gpu == 2


def test_anchors_and_merge_keys_are_resolved() -> None:
    apis = parse(
        """
        - &base
          name: one
          kind: AsyncAPI
          pod: &pod
            max_concurrency: 2
            containers: &containers
            - {name: api, image: a}
        - <<: *base
          name: two
        - <<: [{pod: {<<: *pod, max_concurrency: 3}}, *base]
          name: three
          node_groups: &groups [a]
        """
    )
    found = [(api.name, api.pod.max_concurrency) for api in apis if isinstance(api, AsyncApi)]
    assert found == [("one", 2), ("two", 2), ("three", 3)]


def test_a_merge_of_something_else_is_a_fault() -> None:
    assert "7:7: apis[0].<< (API text): merges something that is no mapping" in fault(ASYNC + "  <<: 3\n")
    assert "merges something that is no mapping" in fault(ASYNC + "  <<: [{}, 3]\n")


def test_a_fault_of_an_alias_is_where_the_value_is_written() -> None:
    text = ASYNC.replace("  pod:\n", "  pod:\n    port: &port 0\n") + BATCH.replace(
        "  pod:\n", "  pod:\n    port: *port\n"
    )
    assert [one.split(" ")[0] for one in faults(text)] == ["4:11:", "4:11:"]


def test_texts_that_other_readers_take_for_something_else_are_texts() -> None:
    api = only(
        ASYNC.rstrip("\n") + "\n      env: {A: 12:30, B: 2001-01-01, C: y, D: =, E: 0o8, F: 1.2.3, G: _1, H: 0x}\n"
    )
    assert isinstance(api, AsyncApi)
    assert api.pod.containers[0].env == {
        "A": "12:30", "B": "2001-01-01", "C": "y", "D": "=", "E": "0o8", "F": "1.2.3", "G": "_1", "H": "0x",
    }  # fmt: skip


@pytest.mark.parametrize("start", ["\ufeff", "---\n", "# comment\n\n", "%YAML 1.2\n---\n"])
def test_what_may_stand_in_front(start: str) -> None:
    assert only(start + ASYNC).name == "text"


def test_crlf_is_a_line_break() -> None:
    assert fault(ASYNC.replace("AsyncAPI", "x").replace("\n", "\r\n")).startswith("2:9:")


def test_json_is_yaml() -> None:
    text = '[{"name": "t", "kind": "TaskAPI", "pod": {"containers": [{"name": "a", "image": "b", "command": ["c"]}]}}]'
    assert only(text).name == "t"


def test_a_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "cortex.yaml"
    path.write_text(ASYNC)
    assert [api.name for api in load_apis(str(path))] == ["text"]


def test_a_fault_begins_with_the_path_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cortex.yaml"
    path.write_text("a: 1")
    with pytest.raises(ConfigurationError, match=rf"^{path}:1:1: holds no list"):
        load_apis(str(path))


def test_a_path_that_is_no_file_is_a_fault(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"#" * (MAX_BYTES + 1))
    cases = {
        ".": "no regular file",
        "pipe": "no regular file",
        "none": "No such file",
        "large": "is larger than 1048576",
    }
    for name, why in cases.items():
        with pytest.raises(ConfigurationError, match=why):
            load_apis(str(tmp_path / name))
