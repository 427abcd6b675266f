"""The machines that run, as the node tells it."""
