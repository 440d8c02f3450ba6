"""The program `dequeuer ui`: a page about the APIs of a gateway, for people."""
