"""The async API's front: takes requests in, hands results out."""
