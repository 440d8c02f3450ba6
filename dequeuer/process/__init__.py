"""The process: signals, standard streams, event loop."""
