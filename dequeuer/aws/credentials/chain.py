"""Choose the credential provider: the order of botocore's chain, decided once at start-up from the environment.

Environment, web identity, container and IMDS have providers here. Profiles, SSO, processes and files of older tools
come between them in the SDK's chain; when one of them may be configured, the SDK's chain is used instead.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dequeuer.aws.credentials import container
from dequeuer.aws.credentials.renewal import CredentialChain
from dequeuer.aws.profile import CONFIG_FILE, expanded, sections_of
from dequeuer.core.errors import clip
from dequeuer.core.events import CredentialProviderName

_HARMLESS = ("region", "output", "cli_", "s3", "retry_mode", "max_attempts", "defaults_mode")
"""Options of a profile that begin so have nothing to do with credentials."""


class Choice(NamedTuple):
    """A provider, and the reason when it is the SDK's chain; otherwise empty."""

    provider: CredentialProviderName
    reason: str = ""


def choose(environ: Mapping[str, str]) -> Choice:
    """Return which provider is used. Reads files, sends nothing."""
    if environ.get("AWS_ACCESS_KEY_ID"):
        return Choice("environment")
    if reason := _profile(environ):
        return Choice("sdk", reason)
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return Choice("web_identity")
    if reason := _old_files(environ):
        return Choice("sdk", reason)
    if environ.get(container.RELATIVE) or environ.get(container.FULL):
        return Choice("container")
    return Choice("imds")


def make(
    provider: CredentialProviderName, environ: Mapping[str, str], *, region: str, tls: ssl.SSLContext
) -> CredentialChain | None:
    """Return the chosen provider; None for the SDK's chain. Raises `ConfigurationError`."""
    # Imported when used: the others would only cost memory.
    if provider == "environment":
        from dequeuer.aws.credentials.environment import EnvironmentKeys  # noqa: PLC0415 - see above

        return EnvironmentKeys(environ)
    if provider == "web_identity":
        from dequeuer.aws.credentials.web_identity import WebIdentityKeys  # noqa: PLC0415 - see above

        return WebIdentityKeys(environ, region, tls)
    if provider == "container":
        return container.ContainerKeys(environ, tls)
    if provider == "imds":
        from dequeuer.aws.credentials.imds import ImdsKeys  # noqa: PLC0415 - see above

        return ImdsKeys(environ, tls)
    return None


def _profile(environ: Mapping[str, str]) -> str:
    """Return why a profile may be used; empty: none is."""
    for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"):
        if environ.get(name):
            return f"{name} is set"
    for name, default in (("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), ("AWS_CONFIG_FILE", CONFIG_FILE)):
        path = expanded(environ.get(name) or default, environ)
        if path is not None and _may_set_credentials(path):
            return f"{clip(str(path))} has a default profile"
    return ""


def _old_files(environ: Mapping[str, str]) -> str:
    """Return why a file of older tools may be used; empty: none is. In the chain they come after web identity."""
    if environ.get("AWS_CREDENTIAL_FILE"):
        return "AWS_CREDENTIAL_FILE is set"
    paths = [environ["BOTO_CONFIG"]] if environ.get("BOTO_CONFIG") else ["/etc/boto.cfg", "~/.boto"]
    for path in paths:
        file = expanded(path, environ)
        if file is not None and file.is_file():
            return f"{clip(str(file))} is there"
    return ""


def _may_set_credentials(path: Path) -> bool:
    """Return whether the default profile of a file may set credentials.

    True for a file that cannot be parsed: the SDK then reports what is wrong with it.
    """
    try:
        if not path.is_file():
            return False
        text = path.read_text(encoding="utf-8")
    except OSError:
        return False  # the SDK ignores it, too
    except ValueError:
        return True
    sections = sections_of(text)
    if sections is None:
        return True
    for section, options in sections.items():
        if section.split() in (["default"], ["profile", "default"], ["profile", '"default"']):
            return any(not option.startswith(_HARMLESS) for option in options)
    return False
