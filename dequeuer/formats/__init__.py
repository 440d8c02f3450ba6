"""Formats on the wire and on disk: pure functions, standard library only."""
