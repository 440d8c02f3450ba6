"""The servers of these tests do not disturb each other."""

from tests.integration.servers import free_port


def test_a_port_for_a_server_is_none_that_an_outgoing_connection_can_be_given() -> None:
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == len(ports)
    assert max(ports) < 32_768
