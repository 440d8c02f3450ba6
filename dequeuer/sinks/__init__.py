"""Where requests are read from and results are written to."""
