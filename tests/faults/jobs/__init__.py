"""Whole lives of batch jobs as processes, which are killed at random moments."""
