"""The programs that have settings, and the options of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from dequeuer.settings.controller import ControllerSettings
from dequeuer.settings.cortex_command import CortexCommandSettings
from dequeuer.settings.enqueuer import EnqueuerSettings
from dequeuer.settings.gateway import GatewaySettings
from dequeuer.settings.jobs_command import JobsCommandSettings
from dequeuer.settings.option import OneUser, Option, User, declarations
from dequeuer.settings.provision import ProvisionSettings
from dequeuer.settings.proxy import ProxySettings
from dequeuer.settings.requests_command import RequestsCommandSettings
from dequeuer.settings.sidecar import SidecarSettings
from dequeuer.settings.ui import UiSettings
from dequeuer.settings.webhooks import WebhooksSettings

Program = Literal["sidecar"] | OneUser

MODELS: Mapping[Program, type] = {
    "sidecar": SidecarSettings,
    "gateway": GatewaySettings,
    "enqueuer": EnqueuerSettings,
    "controller": ControllerSettings,
    "jobs_command": JobsCommandSettings,
    "requests_command": RequestsCommandSettings,
    "cortex_command": CortexCommandSettings,
    "proxy": ProxySettings,
    "webhooks": WebhooksSettings,
    "provision": ProvisionSettings,
    "ui": UiSettings,
}
USERS: Mapping[Program, tuple[User, ...]] = {
    "sidecar": ("async", "batch", "queue"),
    **{program: (program,) for program in get_args(OneUser)},
}
OPTIONS: Mapping[Program, Mapping[str, Option]] = {
    program: {path: one.metadata["option"] for path, _, one in declarations(model)} for program, model in MODELS.items()
}
"""By path, in the order of `--help`."""


def variables() -> set[str]:
    """Return the environment variables of all programs."""
    return {name for options in OPTIONS.values() for option in options.values() for name in option.env}


def flags(program: Program) -> set[str]:
    """Return the flags of a program, without their dashes."""
    return {option.flag for option in OPTIONS[program].values() if option.flag}


def switches(program: Program) -> set[str]:
    """Return the flags of a program that may stand without a value."""
    return {option.flag for option in OPTIONS[program].values() if option.flag and option.is_switch}
