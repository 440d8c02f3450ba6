"""The gateway of async APIs as a process, with its clients, sidecars and webhooks."""
