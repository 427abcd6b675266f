"""Commands run once in a machine of their own."""
