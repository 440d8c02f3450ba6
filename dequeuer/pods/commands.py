"""The commands of containers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dequeuer.apis.container import Container
from dequeuer.pods.environment import expand_all
from dequeuer.pods.files import PodFolder
from dequeuer.process import enter_root

ROOT_CHECK_TIMEOUT_S: Final = 10.0
SHM_CHECK_BYTES: Final = 1 << 20


def container_command(
    container: Container, environment: Mapping[str, str], folder: PodFolder, *, sees_root: bool
) -> list[str]:
    """Return the command of a container; its image is not used.

    Args:
        container: of cortex.yaml.
        environment: of the container, for references in its command.
        folder: the files of its pod.
        sees_root: it sees `/cortex` and `/mnt` at their real paths, and a `/dev/shm` of the size that it asks for.
    """
    command = expand_all([*(container.command or ()), *(container.args or ())], environment)
    return _in_root(folder, command, container.compute.shm_bytes or 0) if sees_root else command


def probe_command(container: Container, folder: PodFolder, *, sees_root: bool) -> list[str]:
    """Return the command of a container's liveness probe; empty when it has none. References are not replaced."""
    probe = container.liveness_probe
    if probe is None or probe.exec is None:
        return []
    command = list(probe.exec.command)
    return _in_root(folder, command, container.compute.shm_bytes or 0) if sees_root else command


async def can_see_root(work_folder: Path) -> bool:
    """Return whether this machine allows containers to see `/cortex` and `/mnt` at their real paths."""
    folder = PodFolder(work_folder / "check")
    for path in (folder.new_root, *folder.shared.values()):
        path.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *_in_root(folder, ["true"], SHM_CHECK_BYTES),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(ROOT_CHECK_TIMEOUT_S):
            return await process.wait() == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False


def _in_root(folder: PodFolder, command: list[str], shm_bytes: int) -> list[str]:
    shared = [f"{name}={path}" for name, path in folder.shared.items()]
    script = str(Path(enter_root.__file__))
    return [sys.executable, "-I", "-S", script, str(folder.new_root), str(shm_bytes), *shared, "--", *command]
