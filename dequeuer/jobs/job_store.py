"""Writes jobs into S3, and the requests of clients to stop, pause and resume them.

A job is written in an order that makes every crash harmless: `spec.json`, `payload.json`, then its entry in the index
of jobs that have not ended. A controller finds jobs only in the index, so it never sees a part of one.
"""

from __future__ import annotations

from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import JobSpec, dump_spec
from dequeuer.sinks.base import Sink

JSON, TEXT = "application/json", "text/plain"


class JobStore:
    """The objects of jobs.

    Calls raise `StoreUnavailableError`, `StoreDeniedError`; what they write may be there nevertheless.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def create_spec(self, keys: JobKeys, spec: JobSpec) -> bool:
        """Write the specification of a new job; False: there is a job with this id, and nothing was written."""
        return await self._sink.create(keys.spec, dump_spec(spec), JSON)

    async def put_payload(self, keys: JobKeys, payload: bytes) -> None:
        """Write the submission of a batch job."""
        await self._sink.put(keys.payload, payload, JSON)

    async def put_in_index(self, keys: JobKeys) -> None:
        """Let the job be found: from now on it is run."""
        await self._sink.put(keys.in_progress, b"", TEXT)

    async def discard(self, keys: JobKeys) -> None:
        """Delete a job that was not accepted. First from the index: what is in it is complete."""
        await self._sink.delete([keys.in_progress])
        await self._sink.delete([keys.payload, keys.spec])

    async def request_stop(self, keys: JobKeys) -> None:
        """Ask whoever runs the job to stop it."""
        await self._sink.create(keys.stop, b"", TEXT)

    async def request_pause(self, keys: JobKeys) -> None:
        """Ask whoever runs the job to begin no further batch of it."""
        await self._sink.create(keys.pause, b"", TEXT)

    async def request_resume(self, keys: JobKeys) -> None:
        """Take back `request_pause`."""
        await self._sink.delete([keys.pause])
