"""The options of `dequeuer jobs` that environment variables can set."""

from __future__ import annotations

from dequeuer.settings.option import option, settings_class
from dequeuer.settings.text_parsers import PATH, URL


@settings_class
class JobsCommandSettings:
    """Submits and follows jobs at a gateway."""

    gateway_url: str = option(URL, "DEQUEUER_GATEWAY_URL", flag="gateway", required_for=("jobs_command",))
    """Address of the gateway, such as `http://127.0.0.1:8888`; `dequeuer jobs logs` needs none."""
    token_path: str | None = option(PATH, "DEQUEUER_TOKEN_FILE", default=None, unset="none is sent")
    """A file with the token for the gateway, where it has tokens."""
    work_folder: str | None = option(PATH, "DEQUEUER_WORK_FOLDER", flag="work-folder", default=None, unset="none")
    """Work folder of the controller on this machine, for `dequeuer jobs logs`."""
