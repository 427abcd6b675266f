"""How the command speaks with the platform: who, where, and the API."""
