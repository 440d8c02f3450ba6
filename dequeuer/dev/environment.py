"""The environments of the parts: nothing in them leads to a real AWS account.

Hazard: one inherited AWS_PROFILE or AWS_ENDPOINT_URL_S3 is enough for a test to write into somebody's production
bucket. So AWS_* is not overridden name by name but dropped as a whole, and the files in the home directory are
put out of reach. Our own parts inherit only what a process needs to start at all: a DEQUEUER_* or HTTP_PROXY of
the user's shell must not change how they behave either.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import dequeuer

REGION = "us-east-1"
KEY_ID = SECRET = "test"  # noqa: S105 - the local servers take anything

_KEPT = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME"}
)
_LOOPBACK = "127.0.0.1,localhost"


def fake_account(endpoint_url: str) -> dict[str, str]:
    """Return the AWS_* variables of an account that exists on this machine only."""
    return _no_account() | {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
    }


def of_part(inherited: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Return the environment that each of our own parts starts from. `directory` is for temporary files."""
    kept = {name: value for name, value in inherited.items() if name in _KEPT or name.startswith("LC_")}
    root = Path(dequeuer.__file__).parent.parent
    if root.name not in {"site-packages", "dist-packages"}:
        # Run from its source tree: the parts are started with -P, which leaves out the working directory.
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), kept.get("PYTHONPATH", ""))))
    return kept | _no_account() | {"PYTHONUNBUFFERED": "1", "TMPDIR": str(directory)}


def of_container(inherited: Mapping[str, str], endpoint_url: str, port: int) -> dict[str, str]:
    """Return the environment of the user's command: all of the user's but the way to AWS."""
    kept = {name: value for name, value in inherited.items() if not _is_aws(name)}
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, (inherited.get(name, ""), _LOOPBACK)))
    return kept | fake_account(endpoint_url) | {"CORTEX_PORT": str(port), "PYTHONUNBUFFERED": "1"}


def leave_aws(environment: MutableMapping[str, str]) -> None:
    """Make this very process forget the user's account, and its proxies, which would see loopback addresses."""
    for name in list(environment):
        if _is_aws(name) or name.lower() in {"http_proxy", "https_proxy", "all_proxy"}:
            del environment[name]
    environment.update(_no_account())


def _no_account() -> dict[str, str]:
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _is_aws(name: str) -> bool:
    return name.upper().startswith(("AWS_", "BOTO_"))
