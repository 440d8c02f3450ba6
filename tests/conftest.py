"""What every test gets."""

import asyncio

# looptime's plugin asks the policy for a loop in tests that are not asynchronous, too, and leaves it open:
# an explicit None keeps the policy from making one.
asyncio.set_event_loop(None)
