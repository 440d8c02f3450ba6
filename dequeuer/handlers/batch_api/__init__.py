"""The batch API: one batch a message, and the end of a job."""
