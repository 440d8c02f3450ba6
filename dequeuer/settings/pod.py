"""The options about the pod in Kubernetes that a sidecar runs in."""

from __future__ import annotations

from dequeuer.settings.option import option, settings_class
from dequeuer.settings.parsers import BOOLEAN
from dequeuer.settings.text_parsers import PATH, POD_NAME


@settings_class
class PodSettings:
    """Which pod this is, and what is written about it."""

    has_deletion_cost: bool = option(BOOLEAN, "DEQUEUER_POD_DELETION_COST", default="false")
    """Whether the pod's annotation `controller.kubernetes.io/pod-deletion-cost` follows what is in flight, so that
    Kubernetes deletes idle pods before busy ones. Needs the verb `patch` on pods."""
    name: str | None = option(POD_NAME, "DEQUEUER_POD_NAME", default=None, unset="`HOSTNAME`")
    """Name of the pod, from the field `metadata.name`. Necessary where the host name is another one: with `hostname` or
    `hostNetwork`, and for names of more than 63 characters."""
    service_account: str = option(
        PATH, "DEQUEUER_SERVICE_ACCOUNT_PATH", default="/var/run/secrets/kubernetes.io/serviceaccount"
    )
    """Folder with `token`, `ca.crt` and `namespace` of the service account: where a projected volume is mounted, if not
    at the usual place."""
