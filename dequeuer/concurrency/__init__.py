"""How much at a time: the standard library only."""
