"""What a zone is made of: its OCI bundle (config.json and what is mounted)."""
