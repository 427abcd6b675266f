"""What holds for all tests."""

from hypothesis import settings

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
"""A busy machine is no failure: no example has a time limit of its own."""
