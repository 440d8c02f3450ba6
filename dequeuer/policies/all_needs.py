"""The needs of all programs, one entry for each policy of docs/permissions.md, in the order of the page.

Those of the programs that work for APIs, which `dequeuer check` looks at, and besides those of `dequeuer provision`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from dequeuer.policies import of_provision, of_services, of_sidecars
from dequeuer.policies.needs import Case, Need, NeedsOfProgram, Program, selected

ALL: Final[Sequence[NeedsOfProgram]] = (
    of_sidecars.ASYNC,
    of_sidecars.ASYNC_REDRIVE,
    of_sidecars.QUEUE_KIND,
    of_sidecars.QUEUE_REDRIVE,
    of_sidecars.QUEUE_OBJECTS,
    of_sidecars.BATCH,
    of_sidecars.BATCH_OUTPUT,
    of_services.ENQUEUER,
    of_services.GATEWAY,
    of_services.GATEWAY_JOBS,
    of_services.GATEWAY_DEAD_LETTERS,
    of_services.CONTROLLER,
    of_services.CONTROLLER_FILES,
    of_sidecars.ASYNC_ENDS,
    of_services.WEBHOOKS,
)
"""Of the programs that work."""
OF_PAGE: Final[Sequence[NeedsOfProgram]] = (*ALL, of_provision.PROVISION)


def needs(program: Program, cases: Collection[Case]) -> Sequence[Need]:
    """Return what a program needs in some cases; what it always needs is part of it."""
    return selected(OF_PAGE, program, cases)
