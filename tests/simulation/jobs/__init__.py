"""Worlds with batch jobs: gateway, controllers, enqueuers and workers of real parts, in virtual time."""
