"""The order of test files: those that take long begin first.

All tests of a file run on one worker. A long file that begins late runs on when every other worker has ended.
"""

from __future__ import annotations

from typing import Final

LONG_FILES: Final = (
    "tests/gateway/test_realtime.py",
    "tests/aws/credentials/test_against_botocore.py",
    "tests/dev/test_run_folder.py",
)
"""More than ten seconds each, the longest first. xdist itself begins with those that have most tests."""


def rank(nodeid: str) -> int:
    """Return where the file of a test stands: before others whose rank is higher, else in the order of collection."""
    file = nodeid.partition("::")[0]
    return LONG_FILES.index(file) if file in LONG_FILES else len(LONG_FILES)
