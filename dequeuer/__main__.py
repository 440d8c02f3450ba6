"""`python -m dequeuer`, and the `dequeuer` command."""

from __future__ import annotations

import sys

from dequeuer.process.early_signals import exit_on_signals


def main() -> None:
    """Run the command line and leave with its status."""
    if sys.argv[1:2] != ["dev"]:  # which leaves its own way, and has children
        exit_on_signals()
    from dequeuer.cli import main as run  # noqa: PLC0415 - signals are handled before anything else is imported
    from dequeuer.process.standard_streams import fill_gaps, flush_or_forget  # noqa: PLC0415 - likewise

    fill_gaps()
    status = run()
    flush_or_forget()
    sys.exit(status)


if __name__ == "__main__":
    main()
