"""`dequeuer jobs`: submits and follows jobs at a gateway, for people and for programs."""
