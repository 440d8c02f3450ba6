"""Object stores: where payloads are read from and results are written to."""
