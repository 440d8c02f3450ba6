"""`python -m bench.proxy.load PLAN` sends ready-made requests and prints what it has measured, as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from bench.gateway.wait_client import wait
from bench.proxy.held import download, idle, streams, upload
from bench.proxy.plan import Load, LoadPlan
from bench.proxy.raw_client import LoadError
from bench.proxy.small_requests import closed, paced, submit
from dequeuer.process.open_files import raise_open_files_limit

MODES: Final[dict[str, Callable[[LoadPlan], Load]]] = {
    "closed": closed,
    "submit": submit,
    "paced": paced,
    "idle": idle,
    "streams": streams,
    "download": download,
    "upload": upload,
    "wait": wait,
}


if __name__ == "__main__":
    raise_open_files_limit()
    asked = LoadPlan(**json.loads(sys.argv[1]))
    try:
        sys.stdout.write(json.dumps(asdict(MODES[asked.mode](asked))) + "\n")
    except (LoadError, OSError) as failure:
        sys.exit(f"{asked.mode}: {type(failure).__name__}: {failure}")
