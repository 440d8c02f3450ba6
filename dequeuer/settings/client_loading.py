"""From command line and environment to the settings of the programs that call a gateway. Calls no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dequeuer.core.errors import clip
from dequeuer.settings.cortex_command import CortexCommandSettings
from dequeuer.settings.jobs_command import JobsCommandSettings
from dequeuer.settings.loading import check_file, default_log_format
from dequeuer.settings.reader import Reader
from dequeuer.settings.requests_command import RequestsCommandSettings
from dequeuer.settings.ui import UiSettings, is_loopback


def load_ui(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    check_token: Callable[[str, None], object] | None = None,
) -> UiSettings:
    """Return the settings of `dequeuer ui`. `check_token`: gets the path of each token; see `load_gateway`.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("ui", argv, environ)
    reader.require("ui")
    for path in ("gateway_token_path", "token_path"):
        check_file(reader, path, check_token, None)
    others = [host for host in reader.values.get("hosts", ()) if not is_loopback(host)]
    if others and "token_path" not in reader.sources:
        wrong = f"is missing, and {reader.source('hosts')} names {clip(others[0])}, which others can reach"
        reader.add_fault("token_path", wrong, "name a file with a token, or serve the page at 127.0.0.1 alone")
    return reader.settings(UiSettings, {"metrics": (), "names": (), "log.format": default_log_format()})


def load_jobs_command(argv: Sequence[str], environ: Mapping[str, str], *, needs_gateway: bool) -> JobsCommandSettings:
    """Return the settings of `dequeuer jobs`. `needs_gateway`: whether the gateway must be given.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("jobs_command", argv, environ)
    if needs_gateway:
        reader.require("jobs_command")
    return reader.settings(JobsCommandSettings, {})


def load_requests_command(argv: Sequence[str], environ: Mapping[str, str]) -> RequestsCommandSettings:
    """Return the settings of the commands for requests.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("requests_command", argv, environ)
    reader.require("requests_command")
    return reader.settings(RequestsCommandSettings, {})


def load_cortex_command(environ: Mapping[str, str]) -> CortexCommandSettings:
    """Return the settings of `dequeuer cortex`.

    Raises:
        ConfigurationError: with every fault.
    """
    return Reader("cortex_command", [], environ).settings(CortexCommandSettings, {})
