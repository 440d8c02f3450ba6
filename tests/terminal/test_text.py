from __future__ import annotations

import json

import pytest

from dequeuer.terminal.text import ascii_json, cells, clip_cells, visible, visible_json

HOSTILE = "\x1b]52;c;cm0gLXJmIC8=\x07\x9b2J\u202eevil\x00\x7f\r\n\U000e0001"


def test_text_from_outside_cannot_act_on_a_terminal() -> None:
    shown = visible(f"a {HOSTILE} b")
    assert shown.isprintable()
    assert shown.startswith("a \\x1b]52;c;")
    assert "\\x9b2J\\u202eevil\\x00\\x7f\\r\\n\\U000e0001 b" in shown


def test_what_people_write_stays_as_it_is() -> None:
    for text in ("", "plain", "Grüße \N{SNOWMAN} 日本語 e\u0301", "1\xa0000", "日\u3000本"):
        assert visible(text) == text
    assert visible("a\tb") == "a\\tb"
    assert visible("a\tb\x1b", keep="\t") == "a\tb\\x1b"


def test_json_in_a_terminal_has_the_same_value() -> None:
    value = {"a": HOSTILE, "b": "日本語 \N{SNOWMAN}"}
    text = json.dumps(value, ensure_ascii=False) + "\n" + json.dumps("\U000e0001", ensure_ascii=False)
    shown = visible_json(text)
    assert all(ch.isprintable() or ch == "\n" for ch in shown)
    first, second = shown.split("\n")
    assert json.loads(first) == value
    assert json.loads(second) == "\U000e0001"
    assert "日本語" in shown
    assert ascii_json(text).isascii()
    assert json.loads(ascii_json(text).partition("\n")[0]) == value


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)])
def test_the_width_in_a_terminal_is_known(text: str, width: int) -> None:
    assert cells(text) == width


def test_text_is_clipped_to_columns_not_to_characters() -> None:
    assert clip_cells("abc", 3) == "abc"
    assert clip_cells("abcd", 3) == "ab…"
    assert clip_cells("日本語", 5) == "日本…"
    assert clip_cells("日本語", 4) == "日…"
    assert cells(clip_cells("日" * 100, 7)) <= 7
