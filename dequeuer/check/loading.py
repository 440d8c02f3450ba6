"""Reads the settings of the program that is checked, as the program itself does, and makes the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dequeuer.check.plan import CheckedProgram, Plan
from dequeuer.settings import (
    load_controller,
    load_enqueuer,
    load_gateway,
    load_proxy,
    load_sidecar,
    load_webhooks,
)


def load_plan(program: CheckedProgram, arguments: Sequence[str], environ: Mapping[str, str]) -> Plan:
    """Return what is checked. Calls no network.

    Raises:
        ConfigurationError: with every fault of the settings and of the files that they name.
    """
    if program in ("sidecar", "proxy"):
        return _of_sidecar(program, arguments, environ)
    return _of_service(program, arguments, environ)


def _of_sidecar(program: CheckedProgram, arguments: Sequence[str], environ: Mapping[str, str]) -> Plan:
    from dequeuer.check.plans_of_sidecars import plan_of_proxy, plan_of_sidecar  # noqa: PLC0415 - only this program's
    from dequeuer.probes.spec import ProbeRules, load_probes  # noqa: PLC0415 - likewise

    if program == "sidecar":
        return plan_of_sidecar(load_sidecar(arguments, environ, check_probes=load_probes))

    def check_probes(path: str, user_port: int) -> object:
        return load_probes(path, user_port, rules=ProbeRules(leaves_others=True))

    return plan_of_proxy(load_proxy(arguments, environ, check_probes=check_probes))


def _of_service(program: CheckedProgram, arguments: Sequence[str], environ: Mapping[str, str]) -> Plan:
    from dequeuer.check import plans_of_services as plans  # noqa: PLC0415 - they import what the files need

    if program == "enqueuer":
        return plans.plan_of_enqueuer(load_enqueuer(arguments, environ))
    if program == "controller":
        return plans.plan_of_controller(load_controller(arguments, environ, check_apis=_check_apis))
    if program == "webhooks":
        return plans.plan_of_webhooks(load_webhooks(arguments, environ, check_keys=_check_keys))
    settings = load_gateway(arguments, environ, check_apis=_check_endpoints, check_tokens=_check_tokens)
    return plans.plan_of_gateway(settings)


def _check_apis(path: str, _: None) -> object:
    from dequeuer.apis import load_apis  # noqa: PLC0415 - it takes 20 MiB

    return load_apis(path)


def _check_keys(path: str, _: None) -> object:
    from dequeuer.webhooks.keys import load_keys  # noqa: PLC0415 - only this program has keys

    return load_keys(path)


def _check_endpoints(path: str, queues: Mapping[str, str] | None, *, urls: Mapping[str, tuple[str, int]]) -> object:
    from dequeuer.gateway.endpoints import load_endpoints  # noqa: PLC0415 - only the gateway has them

    return load_endpoints(path, queues, urls)


def _check_tokens(path: str, _: None) -> object:
    from dequeuer.gateway.access.token_file import load_callers  # noqa: PLC0415 - only the gateway has them

    return load_callers(path)
