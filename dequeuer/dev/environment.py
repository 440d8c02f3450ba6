"""The environments of the child processes: nothing in them leads to a real AWS account.

Hazard: with one inherited AWS_PROFILE or AWS_ENDPOINT_URL_S3 a test could write to a production bucket. Therefore all
AWS_* variables are dropped, not only known ones, and the AWS files in the home directory are not read. Gateway and
sidecar inherit only what a process needs to start: a DEQUEUER_* or HTTP_PROXY of the user's shell must not change how
they behave. The controller inherits what containers get, because it starts those of jobs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from dequeuer.dev.run_folder import MARKER
from dequeuer.pods.programs import own_environment

REGION = "us-east-1"
KEY_ID = SECRET = "test"  # noqa: S105 - the local servers accept any key

_KEPT = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", MARKER}
)
_LOOPBACK = ("127.0.0.1", "localhost")
_OWN = ("DEQUEUER_", "CORTEX_")


def local_account(endpoint_url: str) -> dict[str, str]:
    """Return AWS_* variables of a made-up account; `endpoint_url` is the embedded SQS and S3."""
    return _no_aws_files() | {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
    }


def base_environment(inherited: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Return the common environment of gateway, sidecar and ministack. `directory` is for temporary files."""
    kept = {name: value for name, value in inherited.items() if name in _KEPT or name.startswith("LC_")}
    own = {**_no_aws_files(), "PYTHONUNBUFFERED": "1", "TMPDIR": str(directory)}
    return own_environment(kept, own)


def user_environment(inherited: Mapping[str, str], endpoint_url: str) -> dict[str, str]:
    """Return what the user's commands inherit: the user's environment, but with the local AWS account.

    Settings of this project are left out: they are not meant for what is started here.
    """
    kept = {name: value for name, value in inherited.items() if not _is_aws(name) and not name.startswith(_OWN)}
    return kept | reached_directly(inherited, *_LOOPBACK) | local_account(endpoint_url) | {"PYTHONUNBUFFERED": "1"}


def reached_directly(inherited: Mapping[str, str], *hosts: str) -> dict[str, str]:
    """Return the variables with which a proxy of the user does not get requests to these hosts.

    Programs read one of the two names, many of them the lower case first: made without what the user gave under the
    other one, it would send requests to the user's own hosts to the proxy.
    """
    names = ("NO_PROXY", "no_proxy")
    given = [inherited.get(name, "") for name in names]
    return {
        name: ",".join(filter(None, (own or other, *hosts)))
        for name, own, other in zip(names, given, reversed(given), strict=True)
    }


def container_environment(inherited: Mapping[str, str], endpoint_url: str, port: int) -> dict[str, str]:
    """Return the environment of the container that the command line gives."""
    return user_environment(inherited, endpoint_url) | {"CORTEX_PORT": str(port)}


def remove_aws_settings(environment: MutableMapping[str, str]) -> None:
    """Remove the user's AWS account and proxies: a proxy would get the requests to loopback addresses."""
    for name in list(environment):
        if _is_aws(name) or name.lower() in {"http_proxy", "https_proxy", "all_proxy"}:
            del environment[name]
    environment.update(_no_aws_files())


def _no_aws_files() -> dict[str, str]:
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _is_aws(name: str) -> bool:
    return name.upper().startswith(("AWS_", "BOTO_"))
