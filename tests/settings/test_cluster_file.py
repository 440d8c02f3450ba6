from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dequeuer.files.reading import MAX_DEPTH, AbsentError, UnreadableError
from dequeuer.settings.cluster_file import MAX_BYTES, read_cluster_file

KEYS = ("region", "bucket")


def written(folder: Path, content: bytes) -> str:
    path = folder / "cluster.yaml"
    path.write_bytes(content)
    return str(path)


def test_two_keys_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"cluster_name: c\nregion: us-west-2\nbucket: 'b-1'\nnode_groups: [{name: a}]\n")
    assert read_cluster_file(path, KEYS) == {"region": "us-west-2", "bucket": "b-1"}


@pytest.mark.parametrize("content", [b"{}", b"region:\nbucket: null", b"a: 1"])
def test_absent_and_null_are_the_same(tmp_path: Path, content: bytes) -> None:
    assert read_cluster_file(written(tmp_path, content), KEYS) == {}


def test_the_type_is_kept(tmp_path: Path) -> None:
    assert read_cluster_file(written(tmp_path, b"region: [a]\nbucket: 12"), KEYS) == {"region": ["a"], "bucket": 12}


@pytest.mark.parametrize(
    "content",
    [
        *[
            b"",
            b"- a",
            b"text",
            b"12",
            b"null",
            b"a: [",
            b"a: b: c",
            b"\t",
            b"\xff\xfe\x00",
            b"a: \x00",
            b"--- a\n--- b",
        ],
        *[
            b"!!python/object/apply:os.system ['true']",
            b"a: !!timestamp x",
            b"a: !!bool x",
            b"a: 2001-99-99",
            b"? [a]\n: 1",
        ],
        *[b"a: " + b"9" * 5000, b"a: =", b"*x", b"a: &x [*x", b"{" * 2000, b"- " * 5000, b"[" * 500_000],
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableError, match="is no YAML"):
        read_cluster_file(written(tmp_path, content), KEYS)


def test_depth_is_bounded(tmp_path: Path) -> None:
    def nested(depth: int) -> bytes:
        return b"region: r\na: " + b"[" * depth + b"]" * depth

    assert read_cluster_file(written(tmp_path, nested(MAX_DEPTH - 1)), KEYS) == {"region": "r"}
    with pytest.raises(UnreadableError, match=f"more than {MAX_DEPTH} deep"):
        read_cluster_file(written(tmp_path, nested(MAX_DEPTH)), KEYS)


def test_size_is_bounded(tmp_path: Path) -> None:
    assert read_cluster_file(written(tmp_path, b"region: r\n#" + b"x" * (MAX_BYTES - 11)), KEYS) == {"region": "r"}
    with pytest.raises(UnreadableError, match="larger than"):
        read_cluster_file(written(tmp_path, b"region: r\n#" + b"x" * (MAX_BYTES - 10)), KEYS)


def test_an_error_names_the_position_and_quotes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="line 2, column") as caught:
        read_cluster_file(written(tmp_path, b"a: 1\nsecret: s3cret: x\n"), KEYS)
    assert "s3cret" not in str(caught.value)


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="No such file"):
        read_cluster_file(str(tmp_path / "none"), KEYS)
    with pytest.raises(UnreadableError, match="regular"):
        read_cluster_file(str(tmp_path), KEYS)


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(UnreadableError, match="regular"):
        read_cluster_file(str(path), KEYS)


def test_only_a_path_with_nothing_there_is_absent(tmp_path: Path) -> None:
    path = written(tmp_path, b"")
    for nothing in (str(tmp_path / "none"), f"{path}/below"):
        with pytest.raises(AbsentError):
            read_cluster_file(nothing, KEYS)
    (tmp_path / "loop").symlink_to("loop")
    for something in (path, str(tmp_path), str(tmp_path / "loop")):
        with pytest.raises(UnreadableError) as caught:
            read_cluster_file(something, KEYS)
        assert caught.type is UnreadableError


@settings(max_examples=200)
@given(st.binary() | st.text(alphabet="region: bucket&*!|>-?[]{}'\"\n\t#%@=<0x1.", max_size=60).map(str.encode))
def test_any_content_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp(), content)
    read: dict[str, object] = {}
    with contextlib.suppress(UnreadableError):
        read = read_cluster_file(path, KEYS)
    assert read.keys() <= set(KEYS)
