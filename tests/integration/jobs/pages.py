"""The pages of the documents: their blocks, and whether what came is what they show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.integration.sidecar import ROOT

JOB = re.compile(r"\b[0-9a-f]{16}\b")
REQUEST = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
ANYTHING = "..."
"""A line of a page: any number of lines."""
_FENCED = re.compile(r"(.*?)^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DIFFERENT = (
    JOB,
    REQUEST,
    re.compile(r"\d\d:\d\d:\d\dZ"),
    re.compile(r"\d{4}-\d\d-\d\dT"),
    re.compile(r"took \d+:\d\d"),
    re.compile(r" +\d+\.\d s\b"),
    re.compile(r'(?<="inference_ms": )\d+'),
    re.compile(r"(?<=http://127\.0\.0\.1:)\d+"),
)
"""What differs from run to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A code block. `before`: the text in front of it."""

    before: str
    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.text.splitlines()


def sections(page: str) -> dict[str, list[Block]]:
    """Return the code blocks of a page by the heading above them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {
        heading: [Block(before=before, language=kind, text=shown) for before, kind, shown in _FENCED.findall(body)]
        for heading, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def examples(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines that are typed (after `$`), each with what follows it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, *printed = part.splitlines()
        yield line, printed


def settled(lines: Sequence[str]) -> list[str]:
    """Return the lines without what differs from run to run: ids, times, ports, how often a job was looked at."""
    text = "\n".join(line for line in lines if not re.search(r"Z  (pending|enqueuing|running)", line))
    text = re.sub(r'"started":"[^"]*",', "", text)  # of work that took longer than a second
    for pattern in _DIFFERENT:
        text = pattern.sub("_", text)
    return text.splitlines()


def difference(shown: Sequence[str], printed: Sequence[str]) -> str:
    """Return the first difference between what a page shows and what was printed; "": there is none."""
    came = settled(printed)
    position, is_anywhere = 0, False
    for line in settled(shown):
        if line == ANYTHING:
            is_anywhere = True
            continue
        until = len(came) if is_anywhere else position + 1
        if line not in came[position:until]:
            return f"{line!r} is not in {came[position:until]}"
        position = came.index(line, position) + 1
        is_anywhere = False
    return "" if is_anywhere or position == len(came) else f"more than the page shows: {came[position:]}"
