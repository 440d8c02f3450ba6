"""The options of the commands for requests that environment variables can set."""

from __future__ import annotations

from dequeuer.settings.option import option, settings_class
from dequeuer.settings.text_parsers import PATH, URL


@settings_class
class RequestsCommandSettings:
    """Submits and follows requests of async APIs at a gateway."""

    gateway_url: str = option(URL, "DEQUEUER_GATEWAY_URL", flag="gateway", required_for=("requests_command",))
    """Address of the gateway, such as `http://127.0.0.1:8888`."""
    token_path: str | None = option(PATH, "DEQUEUER_TOKEN_FILE", default=None, unset="none is sent")
    """A file with the token for the gateway, where it has tokens."""
