"""Pauses the consumption of an async API, and resumes it: an object of the API that its sidecars look for."""

from __future__ import annotations

from dequeuer.core import clock
from dequeuer.gateway.problems import ProblemError
from dequeuer.gateway.request_store import RequestStore
from dequeuer.sinks.layout import ApiKeys


class Pauses:
    """Which APIs are paused. All methods raise `BusyError`.

    Args:
        store: has the objects.
        cluster_uid: the prefix of the keys.
        interval_s: how often the sidecars look, seconds; 0: they do not, so a pause would pause nothing.
    """

    def __init__(self, store: RequestStore, cluster_uid: str, interval_s: float) -> None:
        self._store = store
        self._cluster_uid = cluster_uid
        self._interval_s = interval_s

    async def pause(self, api_name: str) -> float:
        """Pause an API; return when, in seconds since the epoch. Raises `ProblemError` when nobody would see it.

        One that is paused stays so for the whole time that the bucket keeps the new object.
        """
        self._check_enabled()
        await self._store.put(self._key(api_name), b"", "text/plain")
        paused_at = await self.paused_at(api_name)
        # Somebody else may have resumed it meanwhile.
        return clock.wall() if paused_at is None else paused_at

    async def resume(self, api_name: str) -> None:
        """Resume an API. Raises `ProblemError` when nobody would see it."""
        self._check_enabled()
        await self._store.remove(self._key(api_name))

    async def paused_at(self, api_name: str) -> float | None:
        """Return when an API was paused, in seconds since the epoch; None: it is not, or nobody would see it."""
        if not self._interval_s:
            return None
        key = self._key(api_name)
        page = await self._store.list_page(key)
        return next((listed.modified_at for listed in page.objects if listed.key == key), None)

    def _key(self, api_name: str) -> str:
        return ApiKeys(self._cluster_uid, api_name).pause

    def _check_enabled(self) -> None:
        if not self._interval_s:
            text = (
                "no sidecar looks for pauses: set DEQUEUER_PAUSE_CHECK_INTERVAL (such as 5) for the gateway and "
                "for the sidecars of the API, then ask again"
            )
            raise ProblemError(409, "pause_disabled", text)
