"""Requests of async APIs from a shell: `dequeuer submit`, `status`, `result`, `wait`, `cancel`, `tail`, `list`."""
