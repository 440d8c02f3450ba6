"""Globs match as those of gobwas/glob with the separator `/`."""

import contextlib
import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.jobs.globs import MAX_PATTERN_CHARS, Glob, GlobError, compile_glob, compile_globs

S3 = "s3://bucket/"


def matches(glob: Glob, text: str) -> bool:
    """Return whether a pattern matches the whole text."""
    return any(glob.scan(text))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "b", False),
        ("s3://bucket/*.json", S3 + "a.json", True),
        ("s3://bucket/*.json", S3 + "a/b.json", False),
        ("s3://bucket/**.json", S3 + "a/b.json", True),
        ("*.json", S3 + "a.json", False),
        ("**.json", S3 + "a.json", True),
        ("**.json", S3 + "a.json.gz", False),
        ("s3://bucket/?", S3 + "a", True),
        ("s3://bucket/?", S3 + "ab", False),
        ("s3://bucket?a", S3 + "a", False),
        ("[abc]at", "bat", True),
        ("[abc]at", "rat", False),
        ("[!abc]at", "rat", True),
        ("[!abc]at", "at", False),
        ("a[!b]c", "a/c", True),
        ("a[/]c", "a/c", True),
        ("[a-c]", "b", True),
        ("[a-c]", "d", False),
        ("[!a-c]", "b", False),
        ("[!a-c]", "d", True),
        ("[ab-d]", "-", True),
        ("[ab-d]", "c", False),
        ("[-a]", "-", True),
        ("[--a]", ".", True),
        (r"[\]a]", "]", True),
        (r"\*", "*", True),
        (r"\*", "x", False),
        (r"a\\b", r"a\b", True),
        ("a\\", "a", True),
        ("}a,b]", "}a,b]", True),
        ("{a,b", "b", True),
        ("{a,b}c", "bc", True),
        ("{a,b}c", "cc", False),
        ("{,x}c", "c", True),
        (r"{a\,b,c}", "a,b", True),
        ("{a,{b,c}d}e", "cde", True),
        ("{a,{b,c}d}e", "ade", False),
        ("{abc,abcd}a", "abcda", True),
        ("{a,ab}{bc,f}", "abc", True),
        ("{*,**}{a,b}", "ab", True),
        ("{*,**}{a,b}", "ac", False),
        ("/{rate,[a-z][a-z][a-z]}*", "/usd", True),
        ("**is**a***test*", "this is a test", True),
        ("*ä", "åä", True),
        ("a.b", "axb", False),
        ("a*", "a\nb", True),
    ],
)
def test_what_a_pattern_matches(pattern: str, text: str, expected: bool) -> None:
    assert matches(compile_glob(pattern), text) is expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[", "unexpected end of input"),
        ("[!", "unexpected end of input"),
        ("[a", "unexpected end of input"),
        ("[a-", "unexpected end of input"),
        ("[a-z", "unexpected end of input"),
        ("[a\\", "unexpected end of input"),
        ("[]", "could not parse range"),
        ("[]a]", "could not parse range"),
        ("[!]", "could not parse range"),
        ("[a-zA-Z]", "expected close range character"),
        ("[z-a]", "hi character 'a' should be greater than lo 'z'"),
        ("x" * (MAX_PATTERN_CHARS + 1), "the pattern is longer than 4096 characters"),
    ],
)
def test_a_text_that_is_no_pattern_is_refused_with_the_words_of_the_library(pattern: str, text: str) -> None:
    with pytest.raises(GlobError) as caught:
        compile_glob(pattern)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "pattern",
    ["*a" * 500 + "b", "**" * 2000, "{a,aa}" * 400, "{" * 4000, "{*a,**a,?" * 400, "{" + "a," * 2000],
)
def test_a_hostile_pattern_takes_time_in_proportion_to_the_text(pattern: str) -> None:
    started = time.process_time()
    matches(compile_glob(pattern), "a" * 1024 + "c")
    # Backtracking would take longer than the universe is old; the limit is for slow machines under load.
    assert time.process_time() - started < 30


SIMPLE = st.text(alphabet="ab/*?", max_size=12)


@given(SIMPLE, st.text(alphabet="ab/", max_size=8))
def test_stars_and_question_marks_match_as_a_regular_expression(pattern: str, text: str) -> None:
    parts = re.findall(r"\*\*|.", pattern)
    translated = "".join({"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, part) for part in parts)
    assert matches(compile_glob(pattern), text) is (re.fullmatch(translated, text) is not None)


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_is_a_pattern_or_an_error(pattern: str, text: str) -> None:
    with contextlib.suppress(GlobError):
        matches(compile_glob(pattern), text)


@given(st.text(max_size=20))
def test_an_escaped_text_matches_itself_alone(text: str) -> None:
    glob = compile_glob("".join(f"\\{character}" for character in text))
    assert matches(glob, text)
    assert not matches(glob, text + "x")


def test_one_of_many_patterns_matches() -> None:
    glob = compile_globs(["a*", "{b,c}d", "**/x"])
    assert [text for text in ("a", "abc", "a/b", "cd", "bcd", "d", "p/q/x", "") if matches(glob, text)] == [
        "a",
        "abc",
        "cd",
        "p/q/x",
    ]
    assert not matches(compile_globs([]), "")


def test_hostile_patterns_take_bounded_memory() -> None:
    glob = compile_globs(["**a" * 15 + f"z{number}" for number in range(200)])
    tracemalloc.start()
    assert not any(matches(glob, f"{number}{'a' * 200}") for number in range(3))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All of the states that are met would take 50 MB.
    assert peak < 32 << 20


def test_hostile_patterns_let_others_run_all_the_time() -> None:
    results = list(compile_globs(["**a" * 1365] * 4).scan("a" * 200))
    assert results[-1] is False
    assert results[:-1] == [None] * (len(results) - 1)
    assert len(results) > 5


def test_patterns_that_are_too_long_together_are_refused() -> None:
    with pytest.raises(GlobError, match="the patterns have more than 65536 characters"):
        compile_globs(["x" * 4096] * 17)
