"""Install fauxqs, the second SQS of the integration tests, into tests/node/node_modules."""

import sys
from pathlib import Path

from install_node_modules import install

if __name__ == "__main__":
    sys.exit(install(Path(__file__).resolve().parent.parent / "tests" / "node"))
