"""The options of the controller."""

from __future__ import annotations

from typing import Literal

from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.settings.option import option, settings_class
from dequeuer.settings.parsers import PORT, choice, seconds, whole
from dequeuer.settings.shared import SharedSettings
from dequeuer.settings.text_parsers import BUCKET, HOSTS, NAME, PATH, URL

LauncherName = Literal["local"]


@settings_class
class ControllerSettings(SharedSettings):
    """Runs jobs of batch and task APIs to their end. Any number of controllers can share the jobs of a bucket.

    Usage:
      dequeuer controller [flags]

    SIGTERM drains the processes of all jobs; the jobs go on with the next controller.
    """

    bucket: str = option(BUCKET, "DEQUEUER_BUCKET", flag="bucket", required_for=("controller",))
    """S3 bucket of the jobs."""
    apis_path: str = option(PATH, "DEQUEUER_APIS", required_for=("controller",))
    """The `cortex.yaml` with the APIs whose jobs are run. Jobs of other APIs are left to other controllers."""
    launcher: LauncherName = option(choice("local", allowed="local"), "DEQUEUER_LAUNCHER", default="local")
    """Where the processes of jobs run. local: on this machine, as child processes."""
    cluster_name: str = option(NAME, "DEQUEUER_CLUSTER_NAME", default="cortex")
    """Name of the cluster: its hash is part of the names of queues, and it is one of their tags. All controllers of a
    bucket need the same."""
    max_jobs: int = option(whole(1, 1000), "DEQUEUER_MAX_JOBS", default="10")
    """Jobs that this controller runs at a time. Others wait, or run with another controller; a higher priority goes
    first, then the older job."""
    ownership_timeout_s: float = option(seconds(1, 3600), "DEQUEUER_OWNERSHIP_TIMEOUT", default="30")
    """Time without a sign of life of a controller after which another one takes over its jobs. All controllers of a
    bucket need the same."""
    completion_delay_s: float = option(seconds(0, 3600), "DEQUEUER_COMPLETION_DELAY", default="10")
    """Time for which the queue must be found empty before a batch job counts as complete; six times as long when a
    worker was killed. The counts of SQS lag behind, so do not shorten it on AWS."""
    shutdown_grace_s: float = option(seconds(0, MAX_VISIBILITY_TIMEOUT_S), "DEQUEUER_SHUTDOWN_GRACE", default="25")
    """Time to finish what is running when a worker is drained."""
    work_folder: str | None = option(PATH, "DEQUEUER_WORK_FOLDER", default=None, unset="a new temporary folder")
    """Folder for the files of workers and for the logs of all processes of jobs. The logs are kept."""
    operator_url: str = option(URL, "DEQUEUER_OPERATOR_URL", default="http://operator.default.svc.cluster.local:8888")
    """Where clients of Cortex in a container find the operator, which is the gateway: written into their `cli.yaml`."""
    hosts_path: str | None = option(PATH, "DEQUEUER_HOSTS_PATH", default=None, unset="that of the machine")
    """File that containers see as `/etc/hosts`, where the machine gives them a root of their own and has that file. Up
    to 1 MiB; it is read once."""
    admin_hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_ADMIN_HOST", default="0.0.0.0,::")
    """Addresses that the admin server (health, metrics) listens on."""
    admin_port: int = option(PORT, "DEQUEUER_ADMIN_PORT", flag="admin-port", default="15000")
    """Port of the admin server."""
