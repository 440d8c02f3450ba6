"""The command line of `dequeuer dev` and its exit status."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.core.plurals import counted
from dequeuer.dev.display import DEMO_WIDTHS, JOB_WIDTHS, REQUEST_WIDTHS, PlainDisplay, make_display
from dequeuer.dev.environment import remove_aws_settings
from dequeuer.dev.errors import DevError
from dequeuer.dev.options import Options, parse
from dequeuer.dev.run_folder import MARKER, open_run_folder

EXIT_FAILED, EXIT_BAD_FILE, EXIT_INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str], *, check_apis: Callable[[str], object]) -> int:
    """Run the local stack; return the exit status. Ends the process (`SystemExit`) after --help and usage errors.

    Args:
        argv: the arguments after `dev`.
        check_apis: raises `ConfigurationError` with what the gateway does not accept of a cortex.yaml.
    """
    options = parse(argv, is_interactive=sys.stdin.isatty())
    try:
        return _run(options, check_apis)
    except ConfigurationError as error:
        count = counted(len(error.faults), "fault")
        lines = (f"dequeuer dev: {count} in {clip(str(options.file))}", *(f"  {fault}" for fault in error.faults))
        print("\n".join(lines), file=sys.stderr)
        return EXIT_BAD_FILE
    except DevError as error:
        print(f"dequeuer dev: {error}", file=sys.stderr)
    except KeyboardInterrupt:  # after the supervisor, which handles SIGINT, has ended
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_output()  # `dequeuer dev | head`
    except OSError as error:  # the disk of the output or of the run's folder is full
        print(f"dequeuer dev: {clip(str(error))}", file=sys.stderr)
        _drop_output()
    return EXIT_FAILED


def _drop_output() -> None:
    """Drop what could not be written: Python would try again at its exit, and print another error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(options: Options, check_apis: Callable[[str], object]) -> int:
    inherited = dict(os.environ)
    remove_aws_settings(os.environ)
    with open_run_folder() as run:
        stack = _make_stack(options, {**inherited, MARKER: run.run_id}, run.path, check_apis)
        return asyncio.run(stack.run())


class _Stack(Protocol):
    async def run(self) -> int:
        """Run it; return the exit status."""


def _make_stack(
    options: Options, inherited: Mapping[str, str], directory: Path, check_apis: Callable[[str], object]
) -> _Stack:
    widths = DEMO_WIDTHS if options.demo else JOB_WIDTHS if options.kind == "batch" else REQUEST_WIDTHS
    display = make_display(sys.stdout, widths)
    # Imported after the environment was changed, because the SDK reads it. Each only where it is used: the models of
    # cortex.yaml take 0.2 s.
    if options.file is None and not options.demo and options.kind == "async":
        from dequeuer.dev.request_stack import RequestStack  # noqa: PLC0415 - see above

        return RequestStack(options, inherited, directory, display)
    from dequeuer.dev.project import load_project  # noqa: PLC0415 - see above
    from dequeuer.dev.project_stack import ProjectStack  # noqa: PLC0415 - see above

    if options.file is not None:
        from dequeuer.dev.announcement import Announcement  # noqa: PLC0415 - see above

        project = load_project(options.file, check_apis)
        return ProjectStack(options, project, inherited, directory, display, Announcement(options, display))
    if options.demo:
        from dequeuer.dev.demo_run import DemoRun  # noqa: PLC0415 - see above
        from dequeuer.dev.sample_project import write_demo_project  # noqa: PLC0415 - see above

        project = load_project(str(write_demo_project(directory, options.workers)), check_apis)
        demo = DemoRun(options, display, in_order=isinstance(display, PlainDisplay))
        return ProjectStack(options, project, inherited, directory, display, demo)
    from dequeuer.dev.sample_job_run import SampleJobRun  # noqa: PLC0415 - see above
    from dequeuer.dev.sample_project import write_sample_project  # noqa: PLC0415 - see above
    from dequeuer.dev.sample_realtime_run import SampleRealtimeRun  # noqa: PLC0415 - see above

    kind: Literal["batch", "realtime"] = "realtime" if options.kind == "realtime" else "batch"
    path = write_sample_project(directory, options.command, kind, options.workers)
    project = load_project(str(path), check_apis)
    use = SampleRealtimeRun(options, display) if kind == "realtime" else SampleJobRun(options, display)
    return ProjectStack(options, project, inherited, directory, display, use)
