"""Which app and which instance a request is for."""
