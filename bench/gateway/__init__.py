"""Submissions through `dequeuer gateway`, beside a floor that makes the same requests to AWS."""
