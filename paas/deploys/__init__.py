"""The story of a deploy: a push, a rebuild, a change of config, a rollback."""
