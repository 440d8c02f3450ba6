"""Print this machine's pip settings as one pip.conf for use inside an image build.

Usage: pip_conf.py CA_BUNDLE_IN_THE_BUILD. Settings from files and from PIP_* variables are merged. Paths of this
machine are omitted, because they do not exist in the build.
"""

import ast
import configparser
import subprocess
import sys

KEPT = frozenset({"default-timeout", "extra-index-url", "index-url", "proxy", "retries", "timeout", "trusted-host"})


def merged(listing: str) -> dict[str, str]:
    """Parse the output of `pip config list`: lines of `section.key='value'`, of which the last one counts."""
    kept: dict[str, str] = {}
    for line in listing.splitlines():
        name, _, literal = line.partition("=")
        key = name.rpartition(".")[2]
        if key in KEPT:
            value = " ".join(word for word in str(ast.literal_eval(literal)).split() if not word.startswith("file:"))
            if value:
                kept[key] = value
    return kept


def main() -> int:
    """Write the file to standard output and return the exit status."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    # When this Python has no pip, the output is empty and there are no settings.
    listing = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    parser = configparser.RawConfigParser()
    parser["global"] = merged(listing.stdout)
    if len(sys.argv) > 1:
        parser["global"]["cert"] = sys.argv[1]
    parser.write(sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
