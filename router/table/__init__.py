"""The route table: its form, and what apps may ask of the router."""
