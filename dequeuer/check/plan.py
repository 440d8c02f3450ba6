"""What a program needs, whichever it is: queues, buckets, a container, a pod. `plans_of_*.py` make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from dequeuer.core.queue_names import queue_name
from dequeuer.kubernetes.in_cluster import SERVICE_ACCOUNT
from dequeuer.policies.needs import Case
from dequeuer.policies.needs import Program as PolicyProgram
from dequeuer.probes.base import Probe
from dequeuer.settings import AwsSettings

MIB: Final = 1024 * 1024
AFTER_GRACE_S: Final = 5.0
"""What a program may need after its grace: it releases messages and closes its connections."""
SPARE_FILES: Final = 100
"""Open files besides connections."""

CheckedProgram: TypeAlias = Literal["sidecar", "proxy", "gateway", "webhooks", "enqueuer", "controller"]

QueueUse: TypeAlias = Literal["async", "batch", "queue", "webhooks", "submissions", "job", "ends"]
"""How a program uses a queue. async, batch and queue: it works off such an API's messages. webhooks: it delivers them.
submissions: it sends requests. job: it sends batches. ends: it sends the ends of requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNeed:
    """A queue.

    Attributes:
        url: of the queue.
        option: the setting that names it.
        placeholder: its name in the policies, such as `queue`.
        use: see `QueueUse`.
        max_attempts: receives after which the sidecar fails a message; 0: it does not.
        keeps_s: how long a message may have to wait or to be worked on; 0: not known.
        keeps_because: the settings that `keeps_s` comes from.
        objects_days: days after which the bucket deletes what messages are about; 0: it does not.
        message_bytes: the largest message that is sent; 0: it does not matter.
    """

    url: str
    option: str
    use: QueueUse
    placeholder: str = "queue"
    max_attempts: int = 0
    keeps_s: float = 0.0
    keeps_because: str = ""
    objects_days: int = 0
    message_bytes: int = 0

    @property
    def name(self) -> str:
        """The end of its URL."""
        return queue_name(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketNeed:
    """A bucket.

    Attributes:
        name: of the bucket.
        option: the setting that names it.
        placeholder: its name in the policies, such as `bucket`.
        below: prefix of the keys that are read and written, with its slash.
        jobs_below: prefix of the keys of jobs, where it is another one; "" where it is not.
        is_own: whether `DEQUEUER_S3_SSE` and `DEQUEUER_S3_BUCKET_OWNER` are about it.
        rule_prefix: prefix of the lifecycle rule that the program writes; "": it writes none.
        rule_days: of that rule.
    """

    name: str
    option: str
    placeholder: str = "bucket"
    below: str
    jobs_below: str = ""
    is_own: bool = True
    rule_prefix: str = ""
    rule_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerNeed:
    """The container beside a sidecar. `hosts`: where it may listen; `probes`: with the default one."""

    hosts: Sequence[str]
    port: int
    probes: Sequence[Probe]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNeed:
    """What a program needs of its pod.

    Attributes:
        grace_s: how long it may take to end after SIGTERM, with what it needs besides; 0: it does not matter.
        grace_because: the settings that `grace_s` comes from.
        memory_bytes: below this limit of memory it can be killed under load.
        connections: files and connections that it may have open.
        raises_open_files: whether it raises its soft limit of open files to the hard one by itself.
        ports: the ports that it listens on, by the setting that names each.
        admin_port: of the admin server.
        has_container: whether it stands beside a container.
        name: of the pod; None: its host name.
        service_account: folder of the files of its service account.
    """

    grace_s: float = 0.0
    grace_because: str = ""
    memory_bytes: int
    connections: int
    raises_open_files: bool = False
    ports: Mapping[str, int]
    admin_port: int
    has_container: bool = False
    name: str | None = None
    service_account: str = str(SERVICE_ACCOUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyNeed:
    """Which policies a program needs: its name there, and the cases that hold."""

    program: PolicyProgram
    cases: frozenset[Case]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is checked for one program.

    Attributes:
        program: see `CheckedProgram`.
        aws: None: the program does not use AWS.
        queues: that it uses.
        buckets: that it uses.
        policies: None: it needs no permission.
        container: None: there is none beside it.
        pod: what it needs of its pod.
        files: what is known of the files that its settings name, by id of the check.
    """

    program: CheckedProgram
    aws: AwsSettings | None
    queues: Sequence[QueueNeed] = ()
    buckets: Sequence[BucketNeed] = ()
    policies: PolicyNeed | None = None
    container: ContainerNeed | None = None
    pod: PodNeed
    files: Sequence[FileFacts] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A file that was read with the settings. `count`: of what it holds; None: no file is given."""

    what: Literal["apis", "tokens", "keys"]
    path: str | None
    count: int | None
    is_refused: bool = False
    """Whether its absence was asked for: `DEQUEUER_TOKENS=none`, `DEQUEUER_WEBHOOK_UNSIGNED`."""
