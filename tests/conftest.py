"""What every test gets."""

import asyncio

from hypothesis import HealthCheck, settings

# Property tests without time limits: the machine may be slow and busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# looptime's plugin asks the policy for a loop in tests that are not asynchronous, too, and leaves it open:
# an explicit None keeps the policy from making one.
asyncio.set_event_loop(None)
