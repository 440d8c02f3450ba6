"""The vocabulary and pure parts: the standard library only."""
