"""Who may call the gateway, how often, and what is written down of it. Decided before a body is read."""
