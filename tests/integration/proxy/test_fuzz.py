"""The fuzzer, for as long as `PROXY_FUZZ_SECONDS` says; what it found before is checked first."""

from __future__ import annotations

import os

import pytest

from tests.integration.proxy.fuzz import examine, examine_answer, run
from tests.integration.proxy.grammar import Attack, answers
from tests.integration.proxy.recorder import Recorder, echo

SECONDS = float(os.environ.get("PROXY_FUZZ_SECONDS", "60"))
SEED = int(os.environ.get("PROXY_FUZZ_SEED", "1"))

FOUND = {
    "a method that some servers take for CONNECT": Attack(b"Connect /a HTTP/1.1\r\nHost: h\r\n\r\n", ()),
    "a length that is negative in 64 bits": Attack(
        b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9446744073709551616\r\n\r\nabc", ()
    ),
}
"""Bytes that a proxy has passed on wrongly."""


@pytest.mark.parametrize("attack", FOUND.values(), ids=FOUND)
def test_what_was_found_before_is_mended(attack: Attack, shared_proxy: int, shared_recorder: Recorder) -> None:
    assert examine(shared_proxy, shared_recorder, attack) == "refused"


def test_random_requests_are_passed_on_as_they_are_meant_or_not_at_all(
    shared_proxy: int, shared_recorder: Recorder
) -> None:
    counts = run(shared_proxy, shared_recorder, seconds=SECONDS, seed=SEED)
    # Neither of the two is rare: a grammar that went astray would find nothing.
    assert counts["passed"] > sum(counts.values()) / 10, counts
    assert counts["refused"] > sum(counts.values()) / 10, counts


@pytest.mark.parametrize("extension", [b';;a="b c"', b";a=", b';a=b"c"'])
def test_an_extension_of_a_chunk_without_all_its_parts_says_nothing_about_the_response(
    extension: bytes, shared_proxy: int, shared_recorder: Recorder
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    try:
        attack = Attack(head + b"1" + extension + b"\r\nx\r\n0\r\n\r\n", ())
        assert examine_answer(shared_proxy, shared_recorder, attack) == "passed"
    finally:
        shared_recorder.answer = echo
        shared_recorder.take()


def test_random_responses_are_passed_on_whole_or_not_at_all(shared_proxy: int, shared_recorder: Recorder) -> None:
    try:
        counts = run(
            shared_proxy,
            shared_recorder,
            seconds=SECONDS / 3,
            seed=SEED,
            examine=examine_answer,
            source=answers,
        )
    finally:
        shared_recorder.answer = echo
        shared_recorder.take()
    for end in ("passed", "refused", "cut"):
        assert counts[end] > sum(counts.values()) / 50, counts
