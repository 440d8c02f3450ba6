"""A slim HTTP/1.1 client and AWS's signature, for the few operations that every message pays for."""
