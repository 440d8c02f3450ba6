"""A client of the gateway over HTTP, for programs: typed, bounded, without a terminal."""
