"""The router, as the platform knows it: the table it is given, and how it is told."""
