from tests.integration.jobs.conftest import apis, gateway

__all__ = ["apis", "gateway"]
