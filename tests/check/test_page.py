from __future__ import annotations

import re
from pathlib import Path

from dequeuer.check.finding import CHECK_IDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "check.md").read_text(encoding="utf-8")


def test_the_page_has_a_row_for_each_check_in_the_order_of_the_report() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+\.[a-z0-9_.]+)` \|", PAGE, re.MULTILINE)
    assert rows == list(CHECK_IDS)
