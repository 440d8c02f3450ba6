"""`dequeuer manifests`: turns Cortex's cortex.yaml into values of the Helm chart, or into manifests."""
