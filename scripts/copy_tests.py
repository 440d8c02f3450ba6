"""Copies tests and benchmark to a folder without the package, so that they run what is installed.

Usage: copy_tests.py FOLDER
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPIED = ("bench", "examples", "tests", "pyproject.toml")


def main() -> None:
    """Copy; what an earlier run copied is replaced."""
    folder = Path(sys.argv[1])
    for name in COPIED:
        source, copy = ROOT / name, folder / name
        if source.is_file():
            shutil.copy(source, copy)
            continue
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))


if __name__ == "__main__":
    main()
