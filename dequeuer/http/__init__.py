"""What HTTP servers of this process share."""
