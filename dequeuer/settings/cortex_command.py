"""The options of `dequeuer cortex`; what else it needs is in its file of environments."""

from __future__ import annotations

from dequeuer.settings.option import option, settings_class
from dequeuer.settings.parsers import BOOLEAN
from dequeuer.settings.text_parsers import PATH


@settings_class
class CortexCommandSettings:
    """Speaks the commands of Cortex's command line, at a gateway."""

    token_path: str | None = option(PATH, "DEQUEUER_TOKEN_FILE", default=None, unset="none is sent")
    """A file with the token for the gateway, where it has tokens."""
    tls_verify: bool = option(BOOLEAN, "DEQUEUER_TLS_VERIFY", default="true")
    """Whether the certificate of an `https://` gateway is checked; `SSL_CERT_FILE` names a CA of your own."""
