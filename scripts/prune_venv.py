"""Delete from an installed environment the files that the image never reads. The Dockerfile runs it.

Usage: prune_venv.py ENVIRONMENT
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

# The sidecar calls SQS and S3. The credential chain needs the others: assumed roles and web identity (sts), single
# sign-on (sso, sso-oidc), `aws login` (signin). IMDS, pod identity and static keys need no service data.
SERVICES = frozenset({"s3", "signin", "sqs", "sso", "sso-oidc", "sts"})
SOURCE_SUFFIXES = frozenset({".c", ".h", ".hash", ".pxd", ".pyi", ".pyx"})
TEST_FOLDERS = frozenset({"test", "tests"})
# How and from where pip installed a distribution: paths of the build, and lists of files that are deleted here.
INSTALLATION_FILES = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"})
COMMANDS = ("dequeuer", "python*")
LOCAL_STACK = Path("dequeuer", "dev")
"""`dequeuer dev` starts an SQS and an S3 that the image does not have."""


def unneeded(packages: Path) -> Iterator[Path]:
    """Yield the files and folders to delete below a site-packages folder.

    Raises:
        FileNotFoundError: A service that must stay, or a folder that must go, does not exist: it was renamed.
    """
    if not (packages / LOCAL_STACK).is_dir():
        message = f"{packages / LOCAL_STACK} is missing: it was moved, correct LOCAL_STACK in {Path(__file__).name}"
        raise FileNotFoundError(message)
    yield packages / LOCAL_STACK
    data = packages / "botocore" / "data"
    for name in SERVICES:
        if not (data / name).is_dir():
            message = f"{data / name} is missing: botocore's layout changed, correct SERVICES in {Path(__file__).name}"
            raise FileNotFoundError(message)
    yield from (entry for entry in data.iterdir() if entry.is_dir() and entry.name not in SERVICES)
    yield from (data / "s3").glob("**/examples-1.json")
    for entry in packages.rglob("*"):
        if entry.is_dir():
            surplus = entry.name in TEST_FOLDERS
        else:
            surplus = entry.suffix in SOURCE_SUFFIXES or (
                entry.name in INSTALLATION_FILES and entry.parent.suffix == ".dist-info"
            )
        if surplus:
            yield entry


def other_commands(environment: Path) -> Iterator[Path]:
    """Yield what the distributions and the environment have besides the one command of the image."""
    for entry in (environment / "bin").iterdir():
        if not any(entry.match(pattern) for pattern in COMMANDS):
            yield entry


def main(arguments: list[str]) -> int:
    """Delete the files and return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write(f"usage: {Path(__file__).name} ENVIRONMENT\n")
        return 2
    found = list(Path(arguments[0]).glob("lib/python3.*/site-packages"))
    if not found:
        sys.stderr.write(f"{arguments[0]} has no lib/python3.*/site-packages: give the folder of a venv\n")
        return 1
    for packages in found:
        for entry in [*unneeded(packages), *other_commands(Path(arguments[0]))]:
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
