"""The protocol of the client, what it returns, and its errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dequeuer.core.errors import DequeuerError


class KubernetesUnavailableError(DequeuerError):
    """The API server cannot be reached, or responds with an error that may be over soon: try again later."""


class KubernetesDeniedError(DequeuerError):
    """The API server refuses the call: a retry does not help before somebody has changed something.

    `status`: of its response: 401 the token, 403 a missing permission, 404 there is no such pod, another 4xx.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class KubernetesVersion:
    """The version of the API server: `major` 1 and `minor` 29 for 1.29."""

    major: int
    minor: int


class PodApi(Protocol):
    """What a program may ask the API server about the pod that it runs in.

    Each call takes 5 s at most. It raises `KubernetesUnavailableError` or `KubernetesDeniedError`, whose texts name the
    call and quote neither the token nor the response.
    """

    async def read_version(self) -> KubernetesVersion:
        """Return the version of the API server. Every service account may do that."""

    async def read_pod(self) -> Mapping[str, Any]:
        """Return this pod as the API server has it. Needs the verb `get` on pods."""

    async def patch_pod(self, patch: Mapping[str, object]) -> None:
        """Change this pod by a JSON merge patch. Needs the verb `patch` on pods."""
