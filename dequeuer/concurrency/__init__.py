"""How much runs at the same time."""
