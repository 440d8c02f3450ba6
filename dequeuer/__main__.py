"""`python -m dequeuer`, and the `dequeuer` command."""

from __future__ import annotations

import sys

from dequeuer.cli import main as run


def main() -> None:
    """Run the command line and leave with its status."""
    sys.exit(run())


if __name__ == "__main__":
    main()
