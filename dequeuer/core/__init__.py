"""The vocabulary and the conditions that every layer shares."""
