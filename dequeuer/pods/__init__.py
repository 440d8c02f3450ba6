"""A pod of cortex.yaml on this machine: what its containers find, and how they are started. For jobs and for `dev`."""
