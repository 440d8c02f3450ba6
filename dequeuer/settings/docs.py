"""Prints docs/configuration.md: `python -m dequeuer.settings.docs > docs/configuration.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from dequeuer.settings.option import Option
from dequeuer.settings.options import OPTIONS
from dequeuer.settings.usage import required_text

_INTRODUCTION = """\
# Configuration

This file is generated from the table of settings: `python -m dequeuer.settings.docs > docs/configuration.md`.

- Every setting is an environment variable; some are flags, too. A flag wins over a variable, an earlier variable of
  the list wins over a later one, and both win over `cluster.yaml`. A value that another one wins over is not looked at.
- Flags are written as in Go: `-x v`, `--x v`, `-x=v`, `--x=v`; `--` ends them. A flag without a value, an unknown
  flag, a flag that is given twice with two values, and anything that is no flag are faults.
- A variable that is empty or blank counts as not set, unless the table says otherwise. White space around a value is
  dropped.
- Times are seconds, decimals allowed unless the table says whole seconds. Sizes are bytes; `64MiB`, `64Mi` (1024),
  `64MB`, `64M` (1000) work, too. Lists are separated by commas.
- An unknown variable that begins with `DEQUEUER_` is a fault, even an empty one: a typing mistake must not go
  unnoticed. A variable of another command is not.
"""

_CREDENTIALS = """\
## Credentials

Credentials are no settings, and are never logged. The first of these that is there gives them out, in the order of the
SDK's chain; a variable that is empty counts as not set. All but the SDK's are asked without loading the SDK.

| provider | variables | what for |
| --- | --- | --- |
| `environment` | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SECURITY_TOKEN` or `AWS_SESSION_TOKEN`, `AWS_CREDENTIAL_EXPIRATION` | keys |
| `sdk` | `AWS_PROFILE`, `AWS_DEFAULT_PROFILE`, `AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE` | profiles: keys, roles, SSO, processes. A file counts when its default profile has more than `region`, `output` and the like |
| `web_identity` | `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`, `AWS_ROLE_SESSION_NAME` | IAM roles for service accounts (IRSA) |
| | `AWS_ENDPOINT_URL_STS`, then `AWS_ENDPOINT_URL`; `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true`: neither | where STS is; else that of the region |
| | `AWS_STS_REGIONAL_ENDPOINTS` | `regional`, or `legacy`: the global endpoint for the regions that once had only that |
| `sdk` | `AWS_CREDENTIAL_FILE`, `BOTO_CONFIG`, a file `~/.boto` or `/etc/boto.cfg` | files of older tools |
| `container` | `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` | roles of ECS tasks |
| | `AWS_CONTAINER_CREDENTIALS_FULL_URI` | EKS Pod Identity; `http://` only for a loopback address, 169.254.170.2, 169.254.170.23 and fd00:ec2::23 |
| | `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`, then `AWS_CONTAINER_AUTHORIZATION_TOKEN` | sent as Authorization; the file is read again each time |
| `imds` | `AWS_EC2_METADATA_DISABLED` | `true`: the instance's role (IMDS, version 2 first) is not asked for |
| | `AWS_EC2_METADATA_SERVICE_ENDPOINT`, `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE` (`ipv4`, `ipv6`), `AWS_IMDS_USE_IPV6` | where IMDS is |
| | `AWS_METADATA_SERVICE_TIMEOUT` (seconds), `AWS_METADATA_SERVICE_NUM_ATTEMPTS` | 1 and 1; whole numbers from 1 to 60 |
| | `AWS_EC2_METADATA_V1_DISABLED` | `true`: version 1 is not asked when version 2 gives no token |
| all | `AWS_CA_BUNDLE` | further certificates to be trusted |

Kubernetes sets those of IRSA and Pod Identity by itself. Variables that do not fit together (a token without a role, half
a pair of keys) are bad configuration. Without any credentials the process ends with status 1 within seconds.

They are renewed in the background when they have 15 minutes left, or half of their life if that is less. A provider that
hangs or fails delays nothing while the present ones are valid; it is asked again after 1 s, 2 s and so on up to 30 s.
When AWS says that they have expired (it goes by its own clock), they are renewed at once and the request is sent again.
"""  # noqa: E501 - a table of Markdown has a row a line

_FILE = """\
## cluster.yaml

The sidecar reads the file that `--cluster-config` or `DEQUEUER_CLUSTER_CONFIG` names, else
`/configs/cluster/cluster.yaml` when it is there. Two keys are read, all others are left to others:

| key | stands in for |
| --- | --- |
| `region` | `AWS_REGION` |
| `bucket` | `DEQUEUER_BUCKET` |

Both are text, or absent, null or empty. A file that was named and is not there, a file that cannot be read, is larger
than 1 MiB or is no YAML mapping, and a key of another type are faults.

The region is that of `AWS_REGION`, `AWS_DEFAULT_REGION`, `region` of the file, or the host of the queue's URL
(`sqs.us-west-2.amazonaws.com`), whichever is first; failing all of them, the SDK decides.
"""

_LINKS = """\
## Service links

For a Service named `dequeuer`, or `dequeuer-` and something, Kubernetes puts variables into every container of the
namespace that look like settings: `DEQUEUER_SERVICE_HOST`, `DEQUEUER_SERVICE_PORT`, `DEQUEUER_SERVICE_PORT_HTTP`,
`DEQUEUER_PORT=tcp://...`, `DEQUEUER_PORT_80_TCP`, `DEQUEUER_PORT_80_TCP_ADDR` and so on. They are no faults and have
no effect. A variable that ends with `_PORT` is taken for one when its value begins with `tcp://`, `udp://` or
`sctp://`; this holds for `DEQUEUER_ADMIN_PORT`, `DEQUEUER_USER_PORT`, `DEQUEUER_GATEWAY_PORT` and `CORTEX_PORT`, too,
which then count as not set.
`enableServiceLinks: false` in the pod keeps them away.
"""

_FAULTS = """\
## Bad configuration

Every fault is listed at once on standard error, one a line, with the name, what was given and what is allowed. The
exit status is 2, and AWS was not contacted.

| exit status | meaning |
| --- | --- |
| 0 | the work is done, or was drained after SIGTERM or SIGINT; also `--help` and `--version` |
| 1 | it cannot go on |
| 2 | bad configuration: it stays bad, so do not restart, correct it |
"""


def _code(names: Iterable[str]) -> str:
    return ", then ".join(f"`{name}`" for name in names)


def _default(option: Option[Any]) -> str:
    if option.default is None:
        needed = required_text(list(option.required_for))
        note = "" if needed and option.default_note == "none" else option.default_note
        return "; ".join(filter(None, [needed, note]))
    return f"`{option.default}`" + (f" {option.unit}" if option.unit else "")


def _table(options: Iterable[Option[Any]]) -> str:
    rows = ["| variable | flag | default | allowed | meaning |", "| --- | --- | --- | --- | --- |"]
    for option in options:
        flag = f"`--{option.flag}`" if option.flag else "-"
        cells = [_code(option.env), flag, _default(option), option.parser.allowed, option.help]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def render() -> str:
    """Return docs/configuration.md."""
    sidecar = [option for option in OPTIONS if option.commands == ("sidecar",)]
    gateway = [option for option in OPTIONS if option.commands == ("gateway",)]
    both = [option for option in OPTIONS if len(option.commands) > 1]
    parts = [
        _INTRODUCTION,
        f"## Sidecar\n\n`dequeuer`\n\n{_table(sidecar)}",
        f"## Gateway\n\n`dequeuer gateway`\n\n{_table(gateway)}",
        f"## Sidecar and gateway\n\n{_table(both)}",
        _CREDENTIALS,
        _FILE,
        _LINKS,
        _FAULTS,
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(render())
