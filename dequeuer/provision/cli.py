"""The command line of `dequeuer provision`: one action, and what it prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from dequeuer.core.errors import ConfigurationError, quoted
from dequeuer.settings.provision import ProvisionSettings
from dequeuer.settings.provision_loading import load_provision


def main(argv: Sequence[str]) -> int:
    """Run the command line; return the exit status.

    Raises:
        ConfigurationError: with every fault of the settings. AWS was not asked anything.
    """
    arguments = list(argv)
    if arguments and not arguments[0].startswith("-") and arguments[0] != "policies":
        raise ConfigurationError(
            [f"provision {quoted(arguments[0])}: no such command; allowed: policies, or flags such as --queue my-queue"]
        )
    prints_policies = arguments[:1] == ["policies"]
    program = None
    if prints_policies:
        arguments = arguments[1:]
        if arguments and not arguments[0].startswith("-"):
            program = arguments.pop(0)
    settings = load_provision(arguments, os.environ, needs_region=not prints_policies)
    if prints_policies:
        from dequeuer.provision.policy_set import policies_text  # noqa: PLC0415 - each command imports its own modules

        sys.stdout.write(policies_text(settings, program))
        return 0
    text = _text(settings)
    if text is not None:
        sys.stdout.write(text)
        return 0
    from dequeuer.provision.app import run_provision  # noqa: PLC0415 - likewise

    return run_provision(settings)


def _text(settings: ProvisionSettings) -> str | None:
    if settings.format == "terraform":
        from dequeuer.provision.terraform import terraform_text  # noqa: PLC0415 - likewise

        return terraform_text(settings)
    if settings.format == "cloudformation":
        from dequeuer.provision.cloudformation import cloudformation_text  # noqa: PLC0415 - likewise

        return cloudformation_text(settings)
    return None
