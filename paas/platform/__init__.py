"""What one control has in common: settings, database, node, router, locks."""
