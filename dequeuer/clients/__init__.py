"""The two sets of AWS clients (slim, SDK), the choice between them, and the region of each queue and bucket."""
