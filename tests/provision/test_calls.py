from __future__ import annotations

import re

from dequeuer.policies.of_provision import PROVISION
from dequeuer.provision.calls import PERMISSIONS


def test_what_a_refusal_advises_is_what_the_printed_policy_allows() -> None:
    advised = {action for text in PERMISSIONS.values() for action in re.findall(r"[a-z0-9]+:[A-Za-z]+", text)}
    assert advised == {need.action for need in PROVISION.needs}
