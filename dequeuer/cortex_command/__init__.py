"""`dequeuer cortex`: the commands of Cortex's command line that its Python package runs, at a gateway."""
