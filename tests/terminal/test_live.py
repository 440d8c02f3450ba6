from __future__ import annotations

import io
import os
import re
import shutil

import pytest

from dequeuer.terminal.live import LiveBlock, can_rewrite


class Screen(io.StringIO):
    """A terminal that knows the sequences of a block: lines up, erase a line, erase what is below."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = [""]
        self._row = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for token in re.findall(r"\x1b\[\d*[A-Z]|\n|[^\x1b\n]+", text):
            if token == "\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            elif token.endswith("F") and token.startswith("\x1b"):
                self._row -= int(token[2:-1])
                assert self._row >= 0
            elif token == "\x1b[K":
                self.lines[self._row] = ""
            elif token == "\x1b[J":
                self.lines[self._row :] = [""]
            else:
                self.lines[self._row] += token
        return len(text)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((20, 5)))
    return Screen()


def test_a_block_replaces_the_one_before(screen: Screen) -> None:
    screen.write("$ watch\n")
    block = LiveBlock(screen)
    block.show(["one", "two", "three"])
    assert screen.lines == ["$ watch", "one", "two", "three", ""]
    block.show(["1", "2"])
    assert screen.lines == ["$ watch", "1", "2", ""]
    block.show(["a", "b", "c"])
    assert screen.lines == ["$ watch", "a", "b", "c", ""]


def test_lines_above_the_block_stay(screen: Screen) -> None:
    block = LiveBlock(screen)
    block.show(["one", "two"])
    block.print_above("lost")
    block.show(["1"])
    assert screen.lines == ["lost", "1", ""]


def test_a_block_never_wraps_or_scrolls(screen: Screen) -> None:
    block = LiveBlock(screen)
    for _ in range(2):
        block.show(["x" * 100] * 50)
    assert screen.lines == [f"{'x' * 18}…"] * 4 + [""]


@pytest.mark.parametrize(("term", "possible"), [("xterm", True), ("dumb", False), (None, False)])
def test_only_a_terminal_that_moves_its_cursor_is_rewritten(screen: Screen, term: str | None, possible: bool) -> None:
    environ = {} if term is None else {"TERM": term}
    assert can_rewrite(screen, environ) is possible
    assert not can_rewrite(io.StringIO(), environ)
