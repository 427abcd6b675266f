"""The process that carries traffic: its connections, its clock, the health of instances."""
