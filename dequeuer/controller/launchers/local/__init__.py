"""The launcher that runs the processes of jobs on this machine, as children of the controller."""
