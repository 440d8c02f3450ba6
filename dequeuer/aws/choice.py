"""Which clients speak to AWS."""

from __future__ import annotations

from collections.abc import Mapping

from dequeuer.aws.base import Cloud
from dequeuer.settings import AwsSettings
from dequeuer.settings.model import AwsClient

# Read by the SDK. Whoever sets one of them needs what only the SDK does.
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
_SWITCHES = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")


def needs_sdk(environ: Mapping[str, str]) -> str | None:
    """Return the name of a variable that only the SDK obeys; None when there is none."""
    for name in _PROXIES:
        if environ.get(name):
            return name
    for name in _SWITCHES:
        if environ.get(name, "").lower() == "true":
            return name
    return None


def connect(settings: AwsSettings, client: AwsClient, environ: Mapping[str, str]) -> Cloud:
    """Make the clients that are asked for. Imports of the others cost start-up time and memory.

    Raises:
        ConfigurationError: no region is known, or an endpoint is none.
    """
    if client == "sdk" or (client == "auto" and needs_sdk(environ)):
        from dequeuer.aws.sdk import Aws  # noqa: PLC0415 - see above

        return Aws(settings)
    from dequeuer.aws.slim import SlimAws  # noqa: PLC0415 - see above

    return SlimAws(settings, environ)
