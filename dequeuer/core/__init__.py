"""Types, events, errors and conditions that all layers share. Imports no other layer."""
