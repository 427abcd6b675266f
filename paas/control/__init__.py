"""The process that people and git talk to: it puts everything below together."""
