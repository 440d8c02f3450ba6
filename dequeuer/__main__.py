"""`python -m dequeuer`, and the `dequeuer` command."""

from __future__ import annotations

import sys

from dequeuer.cli import main as run
from dequeuer.standard_streams import fill_gaps, flush_or_forget


def main() -> None:
    """Run the command line and leave with its status."""
    fill_gaps()
    status = run()
    flush_or_forget()
    sys.exit(status)


if __name__ == "__main__":
    main()
