"""The node's process: its socket, its requests, its events."""
