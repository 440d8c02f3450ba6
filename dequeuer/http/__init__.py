"""HTTP/1.1: a client whose connections are kept, and what every server here has in common."""
