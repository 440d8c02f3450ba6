"""Submissions of jobs that are made to cost much: each is accepted or refused in memory of a few times its size."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from dequeuer.jobs.submission import dump_payload
from dequeuer.jobs.submission_parsing import parse_batch_submission

SIZE = 128 * 1024
MOST_TIMES = 8
"""The body itself is not counted."""
PARSING = 5 << 20
"""Bytes that regular expressions and lists of faults take, whatever the size of the body is."""


def items(text: bytes) -> bytes:
    return b'{"workers":1,"item_list":{"batch_size":1,"items":[' + text + b"]}}"


def listed(text: bytes) -> bytes:
    return b'{"workers":1,"delimited_files":{"batch_size":1,"s3_paths":[' + text + b"]}}"


def repeated(piece: bytes, last: bytes) -> bytes:
    return piece * ((SIZE - 200) // len(piece)) + last


BODIES: dict[str, Callable[[], bytes]] = {
    "numbers": lambda: items(repeated(b"1,", b"1")),
    "empty texts": lambda: items(repeated(b'"",', b'""')),
    "empty lists": lambda: items(repeated(b"[],", b"[]")),
    "ten levels": lambda: items(repeated(b"[" * 9 + b"]" * 9 + b",", b"[]")),
    "depth": lambda: items(b"[" * 9_000 + b"]" * 9_000),
    "more depth": lambda: items(b"[" * 60_000 + b"]" * 60_000),
    "one text of escapes": lambda: items(b'"' + repeated(b"\\n", b"") + b'"'),
    "html": lambda: items(b'"' + b'","'.join([b"<" * 25_000] * 5) + b'"'),
    "whitespace": lambda: items(repeated(b"1 , ", b"1")),
    "short paths": lambda: listed(repeated(b'"x",', b'"x"')),
    "valid paths": lambda: listed(repeated(b'"s3://bucket/key",', b'"s3://b"')),
    "globs": lambda: listed(b'"s3://b"').replace(b"s3_paths", b'includes":[' + repeated(b'"[",', b'"["') + b'],"s3_paths'),
    "names": lambda: b"{" + repeated(b'"a":1,', b'"workers":1}'),
    "repeated sources": lambda: b"{" + repeated(b'"item_list":{"items":[1]},', b'"workers":1}'),
    "config": lambda: b'{"workers":1,"item_list":{"items":[1],"batch_size":1},"config":{"a":[' + b",".join(b"%d" % n for n in range(10_000, 10_000 + SIZE // 7)) + b"]}}",
    "a number": lambda: b'{"workers":' + repeated(b"9", b"") + b"}",
    "an unknown field": lambda: b'{"x":' + b"[" + repeated(b"{},", b"{}") + b"]}",
    "a key without end": lambda: b'{"' + repeated(b"a", b""),
}  # fmt: skip
LARGER = {"html": 14, "config": 40, "valid paths": 12}
"""Text whose escapes are six times as long; and what becomes objects of Python: a config, of 1 MiB at most, and paths, of
which there are 100,000 at most."""


@pytest.mark.parametrize("name", BODIES)
def test_a_submission_takes_a_few_times_its_size(name: str) -> None:
    body = BODIES[name]()
    assert len(body) <= SIZE + 200
    parse_batch_submission(items(b"1"), "0.42.1")  # what is made at the first call is not counted
    tracemalloc.start()
    try:
        parsed = parse_batch_submission(body, "0.42.1")
        assert (parsed.submission is None) == bool(parsed.faults)
        assert sum(len(fault.message) for fault in parsed.faults) < 64 * 1024
        if parsed.submission is not None:
            dump_payload(parsed.submission)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LARGER.get(name, MOST_TIMES) * SIZE + PARSING
