from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.requests_command import payloads as module
from dequeuer.requests_command.options import SubmitArguments
from dequeuer.requests_command.payloads import Payload, check_files, payloads

JSON, BYTES = "application/json", "application/octet-stream"


async def found(**options: object) -> list[Payload]:
    return [one async for one in payloads(SubmitArguments(**options))]  # type: ignore[arg-type]


async def test_each_file_is_a_payload_whose_type_is_that_of_its_content(tmp_path: Path) -> None:
    files = {"a.txt": b' {"n": 1}\n', "b.json": b"\x89PNG", "c": b""}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    paths = tuple(str(tmp_path / name) for name in files)
    one, two, three = await found(files=paths)
    assert (one.index, one.name, one.data, one.content_type) == (0, paths[0], b' {"n": 1}\n', JSON)
    assert (two.data, two.content_type, three.data, three.content_type) == (b"\x89PNG", BYTES, b"", BYTES)
    assert [one.content_type for one in await found(files=paths, content_type="image/png")] == ["image/png"] * 3


async def test_each_line_is_a_payload_wherever_the_pieces_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "all.jsonl"
    file.write_bytes(b'{"n":1}\r\n\n  \n[2,\n"\xe2\x98\x83"')
    for size in (1, 2, 3, 1000):
        monkeypatch.setattr(module, "READ_BYTES", size)
        one, two, three = await found(files=(str(file),), splits_lines=True)
        assert (one.index, one.name, one.data, one.fault) == (0, f"{file}, line 1", b'{"n":1}', "")
        assert (two.index, two.name, two.data) == (1, f"{file}, line 4", b"[2,")
        assert two.fault == "is no JSON; correct it, or say what it is with --content-type"
        assert (three.index, three.data, three.fault) == (2, b'"\xe2\x98\x83"', "")


async def test_a_line_of_another_type_is_whatever_it_is(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"one\ntwo")
    assert [
        (one.data, one.fault) for one in await found(files=(str(file),), splits_lines=True, content_type="text/x")
    ] == [
        (b"one", ""),
        (b"two", ""),
    ]


async def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAYLOAD_BYTES", 10)
    file = tmp_path / "large"
    file.write_bytes(b"1\n" + b"2" * 11)
    with pytest.raises(ConfigurationError, match="larger than 10 bytes; send a larger payload with `curl"):
        await found(files=(str(file),))
    with pytest.raises(ConfigurationError, match="line 2 is larger than 10 bytes"):
        await found(files=(str(file),), splits_lines=True)


def test_all_files_are_looked_at_before_the_first_is_sent(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(ConfigurationError) as caught:
        check_files((str(tmp_path / "there"), "-", str(tmp_path), str(tmp_path / "none\x1b"), "a\0b"))
    assert len(caught.value.faults) == 3
    assert all("name the file of a payload, or - for standard input" in fault for fault in caught.value.faults)
    assert not any("\x1b" in fault for fault in caught.value.faults)
    check_files((str(tmp_path / "there"),))
