"""The ports of one run, all on loopback."""

from __future__ import annotations

from dataclasses import dataclass

from dequeuer.dev.options import Options
from dequeuer.dev.ports import check_free
from dequeuer.process.ports import HOST, free_ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The ports.

    Attributes:
        aws: of SQS and S3.
        gateway: of the gateway.
        admin: of the admin server of the sidecar, or of the controller.
        gateway_admin: of the admin server of the gateway.
        ui: of the page.
        user: of the container.
    """

    aws: int
    gateway: int
    admin: int
    gateway_admin: int
    ui: int
    user: int

    @classmethod
    def choose(cls, options: Options) -> Addresses:
        """Use the ports that the options give, and free ports for the rest."""
        given = {options.gateway_port, options.user_port, options.aws_port, options.ui_port}
        # Four more than needed, because a free port may be one of the given ones.
        aws, gateway, admin, gateway_admin, ui, user, *_ = (port for port in free_ports(10) if port not in given)
        return cls(
            aws=options.aws_port or aws,
            gateway=options.gateway_port or gateway,
            admin=admin,
            gateway_admin=gateway_admin,
            ui=options.ui_port or ui,
            user=options.user_port or user,
        )

    @property
    def aws_url(self) -> str:
        """The endpoint of SQS and S3."""
        return f"http://{HOST}:{self.aws}"

    @property
    def gateway_url(self) -> str:
        """The URL of the gateway."""
        return f"http://{HOST}:{self.gateway}"

    @property
    def admin_url(self) -> str:
        """The URL of the admin server."""
        return f"http://{HOST}:{self.admin}"

    @property
    def gateway_metrics_url(self) -> str:
        """The URL of the metrics of the gateway."""
        return f"http://{HOST}:{self.gateway_admin}/metrics"

    @property
    def page_url(self) -> str:
        """The URL of the page."""
        return f"http://{HOST}:{self.ui}/"


def check_ports(options: Options) -> None:
    """Raise `DevError` when a port that the options give cannot be listened on."""
    if options.gateway_port is not None:
        check_free(options.gateway_port, "the gateway's", "take another with --port, or leave it out")
    if options.aws_port is not None:
        check_free(options.aws_port, "that of SQS and S3", "take another with --aws-port, or leave it out")
    if options.ui_port is not None:
        check_free(options.ui_port, "the page's", "take another with --ui-port, or leave it out")
    if options.command and options.user_port is not None:
        advice = "stop it, or use it as the container: leave the command out and keep --user-port"
        check_free(options.user_port, "the container's", advice)
