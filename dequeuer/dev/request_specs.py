"""The processes for sample requests of an async API: its container and its sidecar."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from dequeuer.dev import environment
from dequeuer.dev.local_aws import API_NAME
from dequeuer.dev.options import Options
from dequeuer.dev.process_specs import ProcessSpecs
from dequeuer.process.child_process import ProcessSpec

SAMPLE_CONTAINER = (sys.executable, "-P", "-m", "dequeuer.dev.sample_container", "--port")
"""The command of the built-in container, without its port."""


def container_spec(specs: ProcessSpecs, options: Options, inherited: Mapping[str, str]) -> ProcessSpec | None:
    """Return how to run the container; None when it is running already."""
    addresses = specs.addresses
    if options.command:
        own = environment.container_environment(inherited, addresses.aws_url, addresses.user)
        return specs.process("container", options.command, own)
    if options.user_port is not None:
        return None
    return specs.process("container", [*SAMPLE_CONTAINER, str(addresses.user)], specs.base)


def sidecar_spec(specs: ProcessSpecs, options: Options, queue_url: str, directory: Path) -> ProcessSpec:
    """Return how to run the sidecar. `directory`: for temporary files."""
    own = {
        "DEQUEUER_API_NAME": API_NAME,
        "DEQUEUER_QUEUE_URL": queue_url,
        "DEQUEUER_USER_PORT": str(specs.addresses.user),
        "DEQUEUER_ADMIN_PORT": str(specs.addresses.admin),
        "DEQUEUER_WORKERS": str(options.workers),
        # A file at the default path on this machine would belong to something else.
        "DEQUEUER_PROBES_PATH": str(directory / "no-probes.json"),
    }
    return specs.sidecar("sidecar", own)
