"""Events: what happens in the layers, for metrics and logs. Observers cannot make work fail."""

from __future__ import annotations

from typing import Protocol

from dequeuer.core.events.container import (
    ContainerProtocolChanged,
    GateChanged,
    Probed,
)
from dequeuer.core.events.gateway import (
    GatewayMeasured,
    GatewayRequestEnded,
    StatusClass,
)
from dequeuer.core.events.jobs import (
    JobChanged,
    JobMeasured,
    JobObserved,
    JobOwnershipChanged,
    JobPassFailed,
    JobProcessEnded,
    JobProcessStarted,
    OwnershipEnd,
)
from dequeuer.core.events.pod import (
    DeletionCostFailed,
    DeletionCostWritten,
)
from dequeuer.core.events.services import (
    CredentialProviderName,
    CredentialsRenewalFailed,
    CredentialsRenewed,
    ErrorKind,
    Feature,
    SourceCalled,
    SourceOp,
    StoreCalled,
    StoreFeatureMissing,
    StoreOp,
)
from dequeuer.core.events.splits import (
    CopyEnded,
    CopyResult,
    RequestSplit,
)
from dequeuer.core.events.webhooks import (
    WebhookAttempted,
    WebhookEnd,
    WebhookEnded,
    WebhookResult,
)
from dequeuer.core.events.work import (
    BatchEnded,
    BatchFailed,
    ConsumptionPaused,
    ItemsFailed,
    LeaseLost,
    LimitChanged,
    LimitReason,
    Posted,
    ProcessPhaseChanged,
    Received,
    ReleasedUnstarted,
    ResponseStarted,
    Settled,
    Settlement,
    SlotsChanged,
    UnstartedReason,
)

Event = (
    Received
    | Posted
    | ResponseStarted
    | BatchEnded
    | ItemsFailed
    | BatchFailed
    | Settled
    | SlotsChanged
    | LimitChanged
    | ReleasedUnstarted
    | ConsumptionPaused
    | SourceCalled
    | StoreCalled
    | CredentialsRenewed
    | CredentialsRenewalFailed
    | StoreFeatureMissing
    | LeaseLost
    | Probed
    | GateChanged
    | ContainerProtocolChanged
    | WebhookAttempted
    | WebhookEnded
    | GatewayRequestEnded
    | GatewayMeasured
    | RequestSplit
    | CopyEnded
    | DeletionCostWritten
    | DeletionCostFailed
    | ProcessPhaseChanged
    | JobObserved
    | JobMeasured
    | JobChanged
    | JobOwnershipChanged
    | JobPassFailed
    | JobProcessStarted
    | JobProcessEnded
)


class Observer(Protocol):
    """Gets events. It is called on the event loop: it must not block and must not raise."""

    def __call__(self, event: Event, /) -> None:
        """Record one event."""


def ignore(_event: Event, /) -> None:
    """Ignore all events: an observer for tests and tools."""


__all__ = [
    "BatchEnded",
    "BatchFailed",
    "ConsumptionPaused",
    "ContainerProtocolChanged",
    "CopyEnded",
    "CopyResult",
    "CredentialProviderName",
    "CredentialsRenewalFailed",
    "CredentialsRenewed",
    "DeletionCostFailed",
    "DeletionCostWritten",
    "ErrorKind",
    "Event",
    "Feature",
    "GateChanged",
    "GatewayMeasured",
    "GatewayRequestEnded",
    "ItemsFailed",
    "JobChanged",
    "JobMeasured",
    "JobObserved",
    "JobOwnershipChanged",
    "JobPassFailed",
    "JobProcessEnded",
    "JobProcessStarted",
    "LeaseLost",
    "LimitChanged",
    "LimitReason",
    "Observer",
    "OwnershipEnd",
    "Posted",
    "Probed",
    "ProcessPhaseChanged",
    "Received",
    "ReleasedUnstarted",
    "RequestSplit",
    "ResponseStarted",
    "Settled",
    "Settlement",
    "SlotsChanged",
    "SourceCalled",
    "SourceOp",
    "StatusClass",
    "StoreCalled",
    "StoreFeatureMissing",
    "StoreOp",
    "UnstartedReason",
    "WebhookAttempted",
    "WebhookEnd",
    "WebhookEnded",
    "WebhookResult",
    "ignore",
]
