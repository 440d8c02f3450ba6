"""The async API: the words of a text that count, the longest first."""

import os
import re
import time
from pathlib import Path

from cluster import serve

WORDS = Path(os.environ.get("CORTEX_ROOT", "") + "/mnt/words.txt")


def answer(method: str, _: str, text: object) -> object:
    """Return the summary of a text. Until the words are there this is an `OSError`, so 503: not now."""
    without = set(WORDS.read_text(encoding="utf-8").split())
    if method == "GET":
        return {"words": len(without)}
    time.sleep(0.5)  # a model takes its time
    found = {word for word in re.findall(r"\w+", str(text).lower()) if word not in without}
    return {"summary": sorted(found, key=lambda word: (-len(word), word))[:3]}


serve(answer)
