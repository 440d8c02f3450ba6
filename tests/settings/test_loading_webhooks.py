"""The settings of `dequeuer webhooks`, and those of the gateway that are about webhooks."""

from __future__ import annotations

import base64
import ipaddress
from pathlib import Path

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import load_gateway, load_webhooks
from dequeuer.webhooks.keys import load_keys
from tests.settings.environments import ASYNC, BATCH, GATEWAY, faults, load, without

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/hooks"
WEBHOOKS = {**GATEWAY, "DEQUEUER_WEBHOOK_QUEUE": QUEUE, "DEQUEUER_WEBHOOK_UNSIGNED": "true"}


def check_keys(path: str, _: None) -> object:
    return load_keys(path)


def webhook_faults(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_webhooks([], environ, check_keys=check_keys)
    return "\n".join(caught.value.faults)


def gateway_faults(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_gateway([], environ)
    return "\n".join(caught.value.faults)


def test_the_defaults() -> None:
    settings = load_webhooks([], WEBHOOKS)
    assert (settings.workers, settings.per_host, settings.timeout_s, settings.max_age_s) == (64, 8, 15, 259_200)
    assert (settings.rules.allowed, settings.rules.allows_http) == ((), False)
    assert (settings.aws.region, settings.results_url, settings.visibility_timeout_s) == ("eu-west-1", None, 60)


def test_what_is_required_is_told_together() -> None:
    text = webhook_faults({})
    for name in ("DEQUEUER_BUCKET", "DEQUEUER_CLUSTER_UID", "DEQUEUER_WEBHOOK_QUEUE", "DEQUEUER_WEBHOOK_KEYS"):
        assert name in text


def test_without_keys_it_does_not_start_unless_that_is_wanted(tmp_path: Path) -> None:
    text = webhook_faults(without(WEBHOOKS, "DEQUEUER_WEBHOOK_UNSIGNED"))
    assert "DEQUEUER_WEBHOOK_KEYS" in text
    assert "DEQUEUER_WEBHOOK_UNSIGNED" in text
    keys = tmp_path / "keys"
    keys.write_text("secret")
    environ = {**without(WEBHOOKS, "DEQUEUER_WEBHOOK_UNSIGNED"), "DEQUEUER_WEBHOOK_KEYS": str(keys)}
    assert "secret" not in webhook_faults(environ)
    keys.write_text(f"whsec_{base64.b64encode(b'k' * 32).decode()}")
    assert load_webhooks([], environ, check_keys=check_keys).keys_path == str(keys)
    assert "remove one of them" in webhook_faults({**environ, "DEQUEUER_WEBHOOK_UNSIGNED": "true"})


def test_networks() -> None:
    settings = load_webhooks([], {**WEBHOOKS, "DEQUEUER_WEBHOOK_ALLOW": "10.1.0.0/16, fd00::/8"})
    assert settings.rules.allowed == (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))
    assert "10.1.0.1/16" in webhook_faults({**WEBHOOKS, "DEQUEUER_WEBHOOK_ALLOW": "10.1.0.1/16"})


def test_a_fifo_queue_is_refused() -> None:
    assert "FIFO" in webhook_faults({**WEBHOOKS, "DEQUEUER_WEBHOOK_QUEUE": f"{QUEUE}.fifo"})
    assert "FIFO" in "".join(faults([], {**ASYNC, "DEQUEUER_WEBHOOK_QUEUE": f"{QUEUE}.fifo"}))
    assert load([], {**ASYNC, "DEQUEUER_WEBHOOK_QUEUE": QUEUE}).webhook_queue_url == QUEUE


@pytest.mark.parametrize("name", ["DEQUEUER_WEBHOOK_QUEUE", "DEQUEUER_EVENTS_TARGET"])
def test_only_async_apis_announce_the_ends_of_requests(name: str) -> None:
    (fault,) = faults([], {**BATCH, name: QUEUE})
    assert fault.startswith(f"{name}: is for async APIs")
    assert QUEUE in str(load([], {**ASYNC, name: QUEUE}))


def test_events_go_to_a_queue_a_topic_or_a_bus() -> None:
    topic, bus = "arn:aws:sns:us-west-2:123456789012:ends", "arn:aws:events:us-west-2:123456789012:event-bus/ends"
    for given, service in ((QUEUE, "sqs"), (topic, "sns"), (bus, "events")):
        target = load([], {**ASYNC, "DEQUEUER_EVENTS_TARGET": given}).events_target
        assert target is not None
        assert (target.service, target.address) == (service, given)
    for wrong, text in ((f"{QUEUE}.fifo", "FIFO"), (f"{topic}.fifo", "standard topic"), ("nonsense", "allowed: ")):
        (fault,) = faults([], {**ASYNC, "DEQUEUER_EVENTS_TARGET": wrong})
        assert fault.startswith("DEQUEUER_EVENTS_TARGET: ")
        assert text in fault


def test_the_receivers_of_apis_are_checked_at_the_start() -> None:
    environ = {**GATEWAY, "DEQUEUER_WEBHOOK_QUEUE": QUEUE}
    settings = load_gateway([], {**environ, "DEQUEUER_WEBHOOKS": "a=https://example.com/x=1?y=2,b=https://b.example"})
    assert settings.webhooks == {"a": "https://example.com/x=1?y=2", "b": "https://b.example"}
    assert "the URL of a leads to an address" in gateway_faults({**environ, "DEQUEUER_WEBHOOKS": "a=https://10.0.0.1/"})
    assert "only https" in gateway_faults({**environ, "DEQUEUER_WEBHOOKS": "a=http://example.com/"})
    assert "twice" in gateway_faults({**environ, "DEQUEUER_WEBHOOKS": "a=https://x.example,a=https://y.example"})
    assert "API's name" in gateway_faults({**environ, "DEQUEUER_WEBHOOKS": "https://x.example"})
    allowed = {"DEQUEUER_WEBHOOKS": "a=http://10.0.0.1/", "DEQUEUER_WEBHOOK_HTTP": "true"}
    assert load_gateway([], {**environ, **allowed, "DEQUEUER_WEBHOOK_ALLOW": "10.0.0.0/8"}).webhooks
    assert "DEQUEUER_WEBHOOK_QUEUE" in gateway_faults({**GATEWAY, "DEQUEUER_WEBHOOKS": "a=https://x.example"})
