"""The rows of the realtime proxy: `dequeuer proxy` and others between a raw client and a canned container."""
