"""`--chaos`: ends processes, and lets SQS and S3 fare badly, as a cluster would do it in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from dequeuer.dev.aws_faults import AwsFaults
from dequeuer.dev.chaos_plan import ChaosKind, ChaosPlan, Kill, episodes, kills
from dequeuer.dev.job_processes import job_processes, kill
from dequeuer.dev.restarted_process import RestartedProcess


class Chaos:
    """What goes wrong on purpose in one run.

    Args:
        plan: what was asked for.
        say: called with a line for people about each fault.
    """

    def __init__(self, plan: ChaosPlan, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._say = say
        self._targets: list[RestartedProcess] = []
        self._controller: RestartedProcess | None = None
        self.faults = AwsFaults(Random(plan.seed))  # noqa: S311 - no secret

    @property
    def announcement(self) -> str:
        """What will happen, and how to repeat it."""
        return f"chaos: {', '.join(self._plan.kinds)}; --chaos-seed {self._plan.seed} repeats it"

    def add(self, process: RestartedProcess, *, is_controller: bool = False) -> None:
        """Let a process be killed now and then. It has to be started again by others."""
        self._targets.append(process)
        if is_controller:
            self._controller = process

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """Return what does it, to be run until it is cancelled; then SQS and S3 are well again."""
        return [self._kill() if kind == "kills" else self._disturb(kind) for kind in self._plan.kinds]

    async def _kill(self) -> None:
        for one in kills(self._plan.seed):
            await asyncio.sleep(one.pause_s)
            killed = (one.is_of_job and self._kill_of_job(one)) or self._kill_target(one)
            if killed is not None:
                self._say(f"chaos: killed {killed}")

    def _kill_target(self, one: Kill) -> str | None:
        """Kill the process that was chosen, or, when it has just ended, the next one that runs; return its name."""
        chosen = int(one.place * len(self._targets))
        for target in (*self._targets[chosen:], *self._targets[:chosen]):
            if target.kill():
                return target.name
        return None

    def _kill_of_job(self, one: Kill) -> str | None:
        pid = None if self._controller is None else self._controller.pid
        if pid is None:
            return None
        found = job_processes(pid)
        chosen = found[int(one.place * len(found))] if found else None
        return chosen.name if chosen is not None and kill(chosen, pid) else None

    async def _disturb(self, kind: ChaosKind) -> None:
        for episode in episodes(kind, self._plan.seed):
            await asyncio.sleep(episode.pause_s)
            self._say(f"chaos: {episode.text}")
            self.faults.begin(episode)
            try:
                await asyncio.sleep(episode.lasts_s)
            finally:
                self.faults.end(episode)
